"""Scores of an arm's captions by a judge, for a block of shards.

The artifact is of one arm, so a new arm or judge computes only its own. The process of one of them scores all arms that
still lack their scores by the same judge for the same shards: the model is loaded, and each image decoded and
encoded, once. A judge is one file in ``models/judges/``.
"""

from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from workflow_scripts.core.artifact import Artifact
from workflow_scripts.core.declaration.facts import DECODING_MS, Cost, Facts, File, Resources, Tolerance
from workflow_scripts.core.declaration.kind_settings import settings_of, settings_of_others, with_kinds
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.registry import OneOf, discover, listed
from workflow_scripts.core.runtime.stage import Job, Stage, run_stage
from workflow_scripts.core.settings import Settings, quantity
from workflow_scripts.models.judge import Judge, Scorer

if TYPE_CHECKING:
    import pyarrow as pa

JUDGES = discover("workflow_scripts.models.judges", Judge)


@with_kinds(JUDGES)
class ScoreCaptions(Settings):
    """How captions are scored."""

    kind: Annotated[str, OneOf(JUDGES)] = Field(
        description=f"what scores captions. {listed(JUDGES)}", examples=["clip"]
    )
    batch_size: int = quantity(32, unit="images", ge=1, examples=[64])
    """Images per forward pass."""
    others: int = quantity(64, unit="images", ge=64, multiple_of=2, examples=[128])
    """Other images, besides a random one, whose mean score is subtracted from a caption's (centring). Fewer would count
    differences between these images as style."""
    images: int | None = quantity(None, unit="images", ge=1, examples=[20_000])
    """Images whose captions are scored, a random choice; null: all."""
    seed: int = Field(0, examples=[1])
    """Seed of the choices of images."""

    @model_validator(mode="after")
    def _kind_accepts_them(self) -> Self:
        settings_of(self, JUDGES[self.kind])
        return self

    @model_serializer(mode="wrap")
    def _own_kind_alone(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # The key of scores must not depend on which other kinds exist.
        unused = settings_of_others(JUDGES, self.kind)
        return {name: value for name, value in handler(self).items() if name not in unused}


def score_captions(job: Job[ScoreCaptions]) -> None:
    """Score the captions of the job's arm, and of the other arms that this process makes."""
    from functools import partial

    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    from workflow_scripts.captions.scores import (
        Comparison,
        Reference,
        Scored,
        chosen,
        sampled,
        score_captions,
        texts_shown,
    )
    from workflow_scripts.core.files.tables import write_table
    from workflow_scripts.core.images.reading import prepared
    from workflow_scripts.core.runtime.stage import read_all
    from workflow_scripts.core.shards import index_images

    options, index = job.settings, job.input("images")
    kind = JUDGES[options.kind]
    table = pq.read_table(index.path(".parquet"), columns=["key", "shard"])
    first, last = (int(number) for number in job.unit["block"].split("-"))
    shards = table["shard"].to_numpy()
    inside = (shards >= first) & (shards <= last)
    rows = np.flatnonzero(inside & chosen(len(table), options.images, options.seed))
    reference = Reference(_captions(job.input("reference"), table)) if kind.by_reference else None

    def texts_of(arm_job: Job[ScoreCaptions]) -> list[str]:
        captions = _captions(arm_job.input("captions"), table)
        used = captions if reference is None else reference.comparable(captions)
        texts: list[str] = used.take(pa.array(rows)).to_pylist()
        return texts

    jobs, captions = zip(*read_all(job, texts_of), strict=True)
    keys = table["key"].take(pa.array(rows)).to_pylist()
    if reference is not None:
        shown = reference.shown
    elif kind.by_key:
        shown = texts_shown(table["key"])
    else:
        shown = partial(prepared, index_images(index), workers=job.workers)
    scored = Scored(shown, rows, keys, captions, [arm_job.work for arm_job in jobs])
    usable = np.arange(len(table)) if reference is None else reference.rows
    compared = Comparison(usable[sampled(len(usable), options.seed)], options.others, options.seed)
    tables = score_captions(scored, compared, kind.scores, options.batch_size, partial(_load, job, kind))
    for arm_job, texts, scores in zip(jobs, captions, tables, strict=True):
        write_table(arm_job.file(".parquet"), scores)
        arm_job.rows(int(inside.sum()), len(scores), {"not_chosen": int(inside.sum()) - len(rows)})
        empty = sum(not text for text in texts)
        unscored = scores[kind.scores[0]].null_count - empty
        arm_job.note(empty_captions=empty, unscored_captions=unscored, arms_of_this_process=len(jobs))


def _load(job: Job[ScoreCaptions], kind: Judge) -> Scorer:
    sources = {name: job.source(name) for name in kind.needs}
    return kind.load(sources, job.device, settings_of(job.settings, kind))


def _captions(arm: Artifact, images: "pa.Table") -> "pa.ChunkedArray":
    """The captions of an arm, one per row of ``images``.

    Raises:
        PipelineError: they are of other images.
    """
    import pyarrow.parquet as pq

    path = arm.path(".parquet")
    table = pq.read_table(path, columns=["key", "caption"])
    if table["key"] != images["key"]:
        value = f"{len(table)} captions, {len(images)} images"
        raise PipelineError("captions not in index order", path, value, "rerun the workflow from this arm")
    return table["caption"]


STAGE = Stage(
    run=score_captions,
    settings=ScoreCaptions,
    artifact="{arm}.{judge}.{block}",
    packages=("torch", "transformers", "sentence-transformers", "torchvision", "pillow", "simplejpeg", "scikit-learn"),
    on_device=True,
    entries=lambda settings: {"models.judges": [settings.kind]},
)

FACTS = Facts(
    files={
        ".parquet": File(
            "scores of each caption by a judge with its own image and with a random one, raw and centred",
            Tolerance(1e-3, 0.005, "none; as the matcher's scores"),
        ),
    },
    environment="train",
    resources=Resources(
        minutes=240,
        memory_mb=32_000,
        data=lambda load: load.images * 1_500,
        workers=True,
        gpu_mb=lambda _: 12_000,  # BLIP-2's matcher and the images that captions are compared with
        resumes=True,
        slot="scorings",
    ),
    cost=Cost(
        per="image",
        units=lambda load: min(load.images, (load.settings["images"] or load.images * load.parts) / load.parts),
        core_ms=DECODING_MS,
        gflop=lambda _: 2_500,
        source="measured decoding; counted for BLIP-2: ViT-g as three products 1,533, query transformer 66 times 990",
    ),
    disk=lambda load: load.rows * 60,  # key and ten scores
    section="judges.{judge}",
    sources={
        "model": "judge-{judge}",
        "text": "judgetext-{judge}",
        "photos": "judgephotos-{judge}",
        "table": "judgetable-{judge}",
    },
    group="scores.{judge}.{block}",
    names=lambda units: [name.partition("/")[2] for name in units.scores(units.arms, units.judges)],
    inputs={
        "captions": "select_captions/{arm}",
        "images": "image_index/images",
        "reference": lambda units, unit: [
            f"select_captions/{arm}" for arm in [units.item("judges", unit["judge"]).reference] if arm
        ],
    },
)

if __name__ == "__main__":
    run_stage(STAGE)
