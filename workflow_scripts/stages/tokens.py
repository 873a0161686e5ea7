"""An arm's captions as rows of tokens, for all runs that learn from them.

Inputs: ``captions`` (select_captions), ``tokenizer`` (tokenizer).
"""

from workflow_scripts.core.declaration.facts import Cost, Facts, File, Resources
from workflow_scripts.core.runtime.stage import Job, Stage, run_stage
from workflow_scripts.core.settings import Settings, quantity


class Tokens(Settings):
    """How many tokens of a caption are kept."""

    context: int = quantity(77, unit="tokens", ge=3, examples=[32])
    """Maximum length of a caption, including start and end token; longer ones are truncated."""


def tokens(job: Job[Tokens]) -> None:
    """Tokenise the captions in the arm's order; blank ones get no tokens, and are counted."""
    from functools import partial

    import pyarrow as pa
    import pyarrow.parquet as pq

    from workflow_scripts.core.files.jsonio import pretty
    from workflow_scripts.core.files.tables import ROW_GROUP, write_table
    from workflow_scripts.models.text.caption_tokenizer import MODEL, SPECIAL, read_tokenizer
    from workflow_scripts.pretraining.data.token_rows import write_rows

    source, path = job.input("tokenizer"), job.input("captions").path(".parquet")
    tokenizer = read_tokenizer(source.path(MODEL), source.path(SPECIAL))
    context, special = job.settings.context, tokenizer.special
    with pq.ParquetFile(path) as table:
        batches = (batch["caption"].to_pylist() for batch in table.iter_batches(ROW_GROUP, columns=["caption"]))
        encode = partial(tokenizer.rows, context=context)
        lengths, cut = write_rows(batches, encode, special.vocabulary, job.file(".npy"))
    keys = pq.read_table(path, columns=["key"])["key"]
    write_table(job.file(".parquet"), pa.table({"key": keys, "tokens": lengths}))
    kept = int((lengths > 0).sum())
    counts = {"captions": kept, "tokens": int(lengths.sum()), "truncated": cut, "longest": int(max(lengths, default=0))}
    job.file(".json").write_bytes(pretty({**special._asdict(), "context": context, **counts}))
    job.rows(len(keys), kept, {"no_caption": len(keys) - kept})


STAGE = Stage(run=tokens, settings=Tokens, artifact="{arm}", packages=("tokenizers", "numpy", "pyarrow"))

FACTS = Facts(
    files={
        ".npy": File("ids of all captions, one after another"),
        ".parquet": File("key of each image and the number of its caption's tokens, 0 for a blank one"),
        ".json": File("context, special ids, and counts, such as that of truncated captions", published=True),
    },
    environment="train",
    resources=Resources(minutes=120, memory_mb=2_000, data=lambda load: load.images * 1_000, workers=True),
    cost=Cost(per="caption", units=lambda load: load.images, core_ms=0.03, source="measured: titles"),
    disk=lambda load: load.rows * 50,  # two bytes for each of about ten tokens, and a key
    section="tokenizer",
    names=lambda units: units.tokenised_arms(),
    inputs={"captions": "select_captions/{arm}", "tokenizer": "tokenizer/tokenizer"},
)

if __name__ == "__main__":
    run_stage(STAGE)
