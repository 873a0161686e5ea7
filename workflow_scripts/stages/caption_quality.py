"""Diagnostics of an arm's captions, one by one and as a summary."""

from typing import TYPE_CHECKING

from pydantic import Field

from workflow_scripts.core.declaration.facts import Cost, Facts, File, Resources, Tolerance
from workflow_scripts.core.runtime.stage import Job, Stage, run_stage
from workflow_scripts.core.settings import quantity
from workflow_scripts.models.text_norms import MatchedText

if TYPE_CHECKING:
    import pyarrow as pa

    from workflow_scripts.captions.diagnostics.objects import Labelled, Synonyms
    from workflow_scripts.models.matcher import Matcher


NEAR_DUPLICATES_AMONG = 1_000_000  # captions at most
SOURCES = ("matcher", "objects", "synonyms")


class CaptionQuality(MatchedText):
    """How the quality of captions is measured."""

    retrieval_sample: int = quantity(1000, unit="images", ge=2, examples=[500])
    """Number of images among which each caption must retrieve its own."""
    batch_size: int = quantity(32, unit="images", ge=1, examples=[64])
    """Images and captions per forward pass."""
    seed: int = Field(0, examples=[1])
    """Seed of the samples."""


def caption_quality(job: Job[CaptionQuality]) -> None:
    """Describe the captions, rank the images of a sample by caption, and draw the result."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    from workflow_scripts.captions.diagnostics.columns import Measures, caption_columns
    from workflow_scripts.captions.diagnostics.figure import draw
    from workflow_scripts.captions.diagnostics.retrieval import sample_rows
    from workflow_scripts.captions.diagnostics.summary import summarise
    from workflow_scripts.core.errors import PipelineError
    from workflow_scripts.core.files.jsonio import pretty
    from workflow_scripts.core.files.tables import write_table
    from workflow_scripts.models.matcher import load_matcher

    options = job.settings
    captions, originals = (job.input(name).path(".parquet") for name in ("captions", "table"))
    arm = pq.read_table(captions, columns=["key", "subreddit", "origin", "itm", "itc"])
    for path in (job.input("images").path(".parquet"), originals):
        keys = pq.read_table(path, columns=["key"])["key"]
        if arm["key"] != keys:
            value = f"{len(arm)} captions, {len(keys)} images"
            raise PipelineError("captions not in index order", captions, value, "rerun the workflow from this arm")
    matcher = None
    if job.has_source("matcher"):
        matcher = load_matcher(job.source("matcher"), job.device, options.max_text_tokens, options.text_norm)
    objects, synonyms = _objects(job)
    columns = caption_columns(
        captions,
        originals,
        Measures(
            token_counts=None if matcher is None else matcher.token_counts,
            max_tokens=options.max_text_tokens,
            near_rows=sample_rows(len(arm), NEAR_DUPLICATES_AMONG, options.seed),
            objects=objects,
            synonyms=synonyms,
        ),
    )
    labelled = pc.sum(pc.is_in(arm["key"], pa.array(list(objects.objects), pa.string()))).as_py() or 0
    if job.has_source("objects") and len(arm) and not labelled:
        value, advice = "no key of an image of this study", f"write keys as in this study, such as {arm['key'][0]}"
        raise PipelineError("no labels for images", job.source("objects"), value, advice)
    for table in (columns, _sampled(job, matcher, arm["subreddit"])):
        for name in table.column_names:
            arm = arm.append_column(name, table[name])
    scores = pc.if_else(arm["empty"], None, arm["itm"])
    arm = arm.set_column(arm.column_names.index("itm"), "itm", scores)
    summary = summarise(arm)
    write_table(job.file(".parquet"), arm.drop_columns(["subreddit"]))
    job.file(".json").write_bytes(pretty(summary))
    draw(job.file(".png"), arm, summary)
    job.rows(len(arm), len(arm))
    job.note(labelled_images=labelled)


def _objects(job: Job[CaptionQuality]) -> "tuple[Labelled, Synonyms | None]":
    """The objects of images and other names of them, by the user's files, or in the demo."""
    import pyarrow.parquet as pq

    from workflow_scripts.captions.diagnostics.objects import UNLABELLED, Labelled, read_objects, read_synonyms
    from workflow_scripts.demo.world.vocabulary import WORDINGS

    synonyms = read_synonyms(job.source("synonyms")) if job.has_source("synonyms") else None
    if job.has_source("objects"):
        return read_objects(job.source("objects")), synonyms
    if not job.inputs("truth"):
        return UNLABELLED, synonyms
    truth = pq.read_table(job.input("truth").path(".truth.parquet"), columns=["image_id", "concept"])
    concepts = truth["concept"].to_pylist()
    objects = {key: {concept} for key, concept in zip(truth["image_id"].to_pylist(), concepts, strict=True)}
    return Labelled(objects, set(concepts)), synonyms or WORDINGS["concept"]


def _sampled(job: Job[CaptionQuality], matcher: "Matcher | None", subreddits: "pa.ChunkedArray") -> "pa.Table":
    """The columns that the matcher computes, for a sample of the captions."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    from workflow_scripts.captions.diagnostics.reading import captions_of
    from workflow_scripts.captions.diagnostics.retrieval import above_others, image_scores, ranks, sample_rows
    from workflow_scripts.core.shards import index_images

    options = job.settings
    rows = sample_rows(len(subreddits), options.retrieval_sample, options.seed)
    names = ("retrieval_rank", "above_random", "above_subreddit")
    table = {name: np.full(len(subreddits), np.nan, dtype=np.float32) for name in names}
    if len(rows) > 1 and matcher is not None:
        texts = captions_of(job.input("captions").path(".parquet"), rows)
        image = index_images(job.input("images")).image
        scores = image_scores(matcher, image, texts, rows, options.batch_size)
        groups = pc.dictionary_encode(subreddits.take(pa.array(rows)).combine_chunks()).indices.to_numpy()
        table["retrieval_rank"][rows] = ranks(scores)
        table["above_random"][rows] = above_others(scores, np.zeros(len(rows)))
        table["above_subreddit"][rows] = above_others(scores, groups)
        for values in table.values():
            values[rows[[not text for text in texts]]] = np.nan  # their images stay among the others'
    return pa.table({name: pa.array(values, mask=np.isnan(values)) for name, values in table.items()})


STAGE = Stage(
    run=caption_quality,
    settings=CaptionQuality,
    artifact="{arm}",
    packages=("torch", "transformers", "py3langid", "scipy", "matplotlib"),
    on_device=True,
)

FACTS = Facts(
    files={
        ".parquet": File("diagnostics of each caption", Tolerance(1e-4, 0.005, "1e-6, no rank")),
        ".json": File("summary", Tolerance(1e-4, 0.02, "none; means of the table's columns"), published=True),
        ".png": File("charts of the summary", Tolerance(0, 0.02, "none; drawn from the table"), published=True),
    },
    environment="train",
    resources=Resources(
        minutes=240,
        memory_mb=16_000,
        data=lambda load: load.images * 1_500,
        workers=True,
        gpu_mb=lambda _: 8_000,  # BLIP-2's matcher
    ),
    cost=Cost(
        per="image",
        units=lambda load: load.images,
        core_ms=1.5,
        gflop=lambda _: 0.8,
        source="demo study, upper bound",
    ),
    section="caption_quality",
    sources={name: name for name in SOURCES},
    names=lambda units: units.arms,
    inputs={
        "captions": "select_captions/{arm}",
        "table": "caption_table/captions",
        "images": "image_index/images",
        "truth": "demo_world/*",
    },
)

if __name__ == "__main__":
    run_stage(STAGE)
