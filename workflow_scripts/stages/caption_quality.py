"""Diagnostics of an arm's captions, one by one and as a summary."""

from pydantic import Field

from workflow_scripts.core.declaration.facts import Cost, Facts, File, Resources, Tolerance
from workflow_scripts.core.declaration.stage import Stage
from workflow_scripts.core.stage import Job, run_stage
from workflow_scripts.models.matched_text import MatchedText


class CaptionQuality(MatchedText):
    """How the quality of captions is measured."""

    mattr_window: int = Field(
        500,
        ge=2,
        description="window of the moving-average type-token ratio (MATTR)",
        examples=[100],
        json_schema_extra={"unit": "words"},
    )
    short_words: int = Field(
        4,
        ge=1,
        description="captions with fewer words are flagged, since their language is a guess",
        examples=[3],
        json_schema_extra={"unit": "words"},
    )
    retrieval_sample: int = Field(
        1000,
        ge=2,
        description="number of images among which each caption must retrieve its own",
        examples=[500],
        json_schema_extra={"unit": "images"},
    )
    batch_size: int = Field(
        32,
        ge=1,
        description="images and captions per forward pass",
        examples=[64],
        json_schema_extra={"unit": "images"},
    )
    seed: int = Field(0, description="seed of the retrieval sample", examples=[1])


def caption_quality(job: Job[CaptionQuality]) -> None:
    """Describe the captions, rank the images of a sample by caption, and draw the result."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    from workflow_scripts.captions.diagnostics.caption_statistics import describe
    from workflow_scripts.captions.diagnostics.figure import draw
    from workflow_scripts.captions.diagnostics.retrieval import own_image_ranks, sample_rows
    from workflow_scripts.captions.diagnostics.summary import summarise
    from workflow_scripts.core.errors import PipelineError
    from workflow_scripts.core.files.jsonio import pretty
    from workflow_scripts.core.files.tables import write_table
    from workflow_scripts.core.shards import index_images
    from workflow_scripts.models.matcher import load_matcher

    options, index = job.settings, job.input("images")
    path = job.input("captions").path(".parquet")
    arm = pq.read_table(path)
    keys = pq.read_table(index.path(".parquet"), columns=["key"])["key"]
    if arm["key"] != keys:
        value = f"{len(arm)} captions, {len(keys)} images"
        raise PipelineError("captions not in index order", path, value, "rerun the workflow from this arm")
    columns, words = describe(arm["caption"], options.short_words)
    rows = sample_rows(len(arm), options.retrieval_sample, options.seed)
    ranks = np.full(len(arm), np.nan, dtype=np.float32)
    if len(rows) > 1:
        matcher = load_matcher(job.source("matcher"), job.device, options.max_text_tokens, options.text_norm)
        sampled = arm["caption"].take(pa.array(rows)).to_pylist()
        ranks[rows] = own_image_ranks(matcher, index_images(index).image, sampled, rows, options.batch_size)
    for name in columns.column_names:
        arm = arm.append_column(name, columns[name])
    arm = arm.append_column("retrieval_rank", pa.array(ranks, mask=np.isnan(ranks)))
    summary = summarise(arm, words, options.mattr_window)
    write_table(job.file(".parquet"), arm.drop_columns(["subreddit", "year", "caption"]))
    job.file(".json").write_bytes(pretty(summary))
    draw(job.file(".png"), arm, summary)
    job.rows(len(arm), len(arm))


STAGE = Stage(
    run=caption_quality,
    settings=CaptionQuality,
    artifact="{arm}",
    inputs=("captions", "images", "matcher"),
    packages=("torch", "transformers", "py3langid", "matplotlib"),
    on_device=True,
)

FACTS = Facts(
    files={
        ".parquet": File("diagnostics of each caption", Tolerance(1e-4, 0.005, "1e-6, no rank")),
        ".json": File("summary", Tolerance(1e-4, 0.02, "none; means of the table's columns"), published=True),
        ".png": File("charts of the summary", Tolerance(0, 0.02, "none; drawn from the table"), published=True),
    },
    environment="train",
    resources=Resources(minutes=240, memory_mb=32_000, scales="gpu", workers=True, gpu=True),
    cost=Cost(
        per="image",
        units=lambda load: load.images,
        core_ms=1.5,
        gflop=lambda _: 0.2,
        source="demo study, upper bound",
    ),
    names="arms",
    section="caption_quality",
    sources={"matcher": "matcher"},
)

if __name__ == "__main__":
    run_stage(STAGE)
