"""Grad-CAM maps of one checkpoint scored against the object masks of one downstream dataset."""

from typing import Literal

from pydantic import Field

from workflow_scripts.core.declaration.facts import Cost, Facts, File, Resources, Tolerance
from workflow_scripts.core.runtime.stage import Job, Stage, run_stage
from workflow_scripts.core.settings import quantity
from workflow_scripts.evaluation.interval_settings import Bootstrap


class Saliency(Bootstrap):
    """Grad-CAM maps compared with object masks."""

    layers: tuple[Literal["layer1", "layer2", "layer3", "layer4"], ...] = Field(
        ("layer4", "layer3"), min_length=1, examples=[["layer3"]]
    )
    """Stages of our backbones whose last blocks are explained; the first one leads. A network from elsewhere has one
    layer of its own."""
    upsampling: Literal["bilinear", "nearest"] = Field("bilinear", examples=["nearest"])
    """How maps are enlarged to the input size."""
    batch_size: int = quantity(64, unit="images", ge=1, examples=[32])
    """Images per pass."""
    examples: int = quantity(8, unit="images", ge=0, examples=[4])
    """Images per dataset whose maps are kept for the report, the same for every run; the best, median and worst of each
    run are kept too."""
    seed: int = Field(0, ge=0, examples=[1])
    """Seed of the bootstrap, of random classes, images and channel weights, and of examples."""


def saliency(job: Job[Saliency]) -> None:
    """Score the dataset's masked test images."""

    from workflow_scripts.core.files.tables import write_table
    from workflow_scripts.evaluation.downstream import load_downstream
    from workflow_scripts.evaluation.linear_probe.heads import load_head
    from workflow_scripts.evaluation.packed import load_packed
    from workflow_scripts.evaluation.saliency.evaluate import SaliencyPlan, evaluate_saliency
    from workflow_scripts.evaluation.saliency.tables import example_places, image_table, result_table, write_examples
    from workflow_scripts.models.backbones import explained_layers, load_backbone

    run, settings = job.input("run"), job.settings
    network, metadata = load_backbone(run.path(f"/{job.unit['step']}.safetensors"), run.path("/run.json"))
    layers = explained_layers(network, metadata, settings.layers)
    options = settings.model_dump(exclude={"resamples", "level", "examples", "layers"})
    plan = SaliencyPlan(**options, layers=tuple(layers), device=job.device, workers=job.workers)
    data = load_downstream(job.input("dataset"), job.input("features"))
    head = load_head(job.input("probe").path(".head.safetensors"))
    images = load_packed(job.input("images"))
    result = evaluate_saliency(network, list(layers.values()), data, head, images, plan)
    write_table(job.file(".parquet"), image_table(result))
    write_table(job.file(".results.parquet"), result_table(result, settings.resamples, settings.level, settings.seed))
    places = example_places(result, settings.examples, settings.seed)
    write_examples(job.file(".examples.npz"), result, places, images, data.classes)
    left_out, scored = result.survey.left_out, len(result.keys)
    job.rows(scored + left_out.total(), scored, dict(left_out))


STAGE = Stage(
    run=saliency,
    settings=Saliency,
    artifact="{run}.{step}.{dataset}",
    packages=("torch", "torchvision", "timm", "transformers", "grad-cam", "scipy"),
    on_device=True,
)

FACTS = Facts(
    files={
        ".parquet": File("scores of each image", Tolerance(0.01, 0.01, "0.2 % of the values by more: a hit flips")),
        ".results.parquet": File("means with intervals", Tolerance(0.05, 0, "0.011"), published=True),
        ".examples.npz": File(
            "maps of some images, for the report", Tolerance(0, 0.005, "0.006 % of the maps' pixels, by 1 of 255")
        ),
    },
    environment="train",
    resources=Resources(minutes=60, memory_mb=32_000, workers=True, gpu_mb=lambda _: 8_000, slot="evaluations"),
    cost=Cost(
        per="image with mask",
        units=lambda load: load.masked,
        core_ms=60,
        source="demo study, upper bound, on a CPU",
    ),
    disk=lambda _: 2e6,
    section="evaluation.saliency",
    group="evaluation.{run}.{step}",
    names=lambda units: [f"{checkpoint}.{name}" for checkpoint in units.checkpoints for name in units.mask_datasets],
    inputs={
        "run": "pretrain/{run}",
        "features": "features/{run}.{step}.{dataset}",
        "probe": "linear_probe/{run}.{step}.{dataset}",
        "dataset": "eval_dataset/{dataset}",
        "images": lambda units, unit: units.images_seen(unit),
    },
)

if __name__ == "__main__":
    run_stage(STAGE)
