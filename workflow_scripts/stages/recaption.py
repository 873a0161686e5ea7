"""Generated captions of a shard's images, and BLIP-2's scores of generated and original captions."""

from typing import Literal

from pydantic import PositiveInt

from workflow_scripts.captions.recaptioning.decoding import Decoding
from workflow_scripts.core.declaration.facts import DECODING_MS, Cost, Facts, File, Resources, Tolerance
from workflow_scripts.core.runtime.stage import Job, Stage, run_stage
from workflow_scripts.core.settings import quantity
from workflow_scripts.models.text_norms import MatchedText


class Recaption(Decoding, MatchedText):
    """How captions are generated and scored."""

    batch_size: PositiveInt | Literal["auto"] = quantity("auto", unit="images", examples=[64])
    """Images per batch, in the row order of the shard. auto: 32 on a CPU, on a GPU as many as its free memory holds. On
    a GPU, another size changes rounding, which can change a caption at a near tie."""


def recaption(job: Job[Recaption]) -> None:
    """Caption and score the rows of one shard that have an image."""
    from functools import partial

    import pyarrow.compute as pc

    from workflow_scripts.captions.recaptioning.batch_size import batch_size_of, fitting, fitting_batch_size
    from workflow_scripts.captions.recaptioning.models import Models, load_models
    from workflow_scripts.captions.recaptioning.shard import recaption_shard
    from workflow_scripts.core.files.tables import write_table
    from workflow_scripts.core.shards import shard_images

    options = job.settings
    images, rows, lost = shard_images(job.input("shard"), ["key", "caption", "offset", "bytes", "sha256"])

    def load() -> Models:
        return load_models(job.source("captioner"), job.source("matcher"), job.device, options, options)

    models = partial(job.keep, "models", load)
    size = batch_size_of(
        options.batch_size if len(rows) else 1, job.work, lambda: job.keep("size", lambda: fitting_batch_size(models()))
    )
    with fitting(options.batch_size, size, job.work):
        table = recaption_shard(rows, images, size, job.work, models, job.workers)
    write_table(job.file(".parquet"), table)
    job.rows(len(rows) + lost, len(rows), {"no_image": lost})
    job.note(batch_size=size, captions=len(table), empty_captions=pc.sum(pc.equal(table["generated"], "")).as_py() or 0)


STAGE = Stage(
    run=recaption,
    settings=Recaption,
    artifact="{shard}",
    packages=("torch", "transformers", "torchvision", "pillow", "simplejpeg"),
    on_device=True,
    numbered=True,
)

FACTS = Facts(
    files={
        ".parquet": File(
            "generated caption(s); ITM (logit difference) and ITC of original and generated; tokens before truncation "
            "to 32",
            Tolerance(1e-4, 0.005, "8e-7, no caption"),
        ),
    },
    environment="train",
    # The profile sets how many of these jobs a SLURM job runs at a time.
    resources=Resources(
        minutes=90,
        memory_mb=32_000,
        workers=True,
        gpu_mb=lambda _: 24_000,  # BLIP-2 with OPT-2.7b in bfloat16, its matcher in float32, and a small batch
        slot="recaptions",
    ),
    cost=Cost(
        per="image",
        units=lambda load: load.images,
        core_ms=DECODING_MS,
        gflop=lambda _: 2_300,
        source="measured decoding; counted: ViT-g 521, as three products 1,533, OPT-2.7b 44 tokens 240",
    ),
    disk=lambda load: load.rows * 400,  # captions, scores, ids and states
    section="recaption",
    sources={"captioner": "captioner", "matcher": "matcher"},
    group="recaption",
    names=lambda units: units.shards if units.study.recaption else [],
    inputs={"shard": "download/{shard}"},
)

if __name__ == "__main__":
    run_stage(STAGE)
