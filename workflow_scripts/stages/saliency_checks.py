"""Sanity and faithfulness of one checkpoint's maps: random weights, permuted masks and labels, removed pixels."""

from typing import Annotated

from pydantic import Field

from workflow_scripts.core.declaration.facts import Cost, Facts, File, Resources, Tolerance
from workflow_scripts.core.runtime.stage import Job, Stage, run_stage
from workflow_scripts.core.settings import quantity
from workflow_scripts.evaluation.interval_settings import Bootstrap


class SaliencyChecks(Bootstrap):
    """Checks of the Grad-CAM maps of a few runs; layer and upsampling are those of ``saliency``."""

    images: int = quantity(100, unit="images", ge=2, examples=[40])
    """Most masked test images to check."""
    shares: tuple[Annotated[int, Field(ge=1, le=99)], ...] = quantity(
        (20, 40, 60, 80), unit="%", min_length=1, examples=[[50]]
    )
    """Shares of pixels that ROAD removes."""
    seed: int = Field(0, ge=0, examples=[1])
    """Seed of random weights, permutations, images and noise."""


def saliency_checks(job: Job[SaliencyChecks]) -> None:
    """Check the maps of some of the images that ``saliency`` scored."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq
    import torch

    from workflow_scripts.core.files.tables import write_table
    from workflow_scripts.evaluation.downstream import load_downstream
    from workflow_scripts.evaluation.linear_probe.heads import load_head
    from workflow_scripts.evaluation.packed import load_packed
    from workflow_scripts.evaluation.saliency.checks import CHECKS, Given, check_rows, training_rows
    from workflow_scripts.evaluation.saliency.maps.grad_cam import swapped_classes
    from workflow_scripts.models.backbones import explained_layers, load_backbone, random_twin
    from workflow_scripts.stats.seeds import derive

    run, settings, scores = job.input("run"), job.settings, job.input("saliency")
    network, metadata = load_backbone(run.path(f"/{job.unit['step']}.safetensors"), run.path("/run.json"))
    data = load_downstream(job.input("dataset"), job.input("features"))
    head, images = load_head(job.input("probe").path(".head.safetensors")), load_packed(job.input("images"))
    results = pq.read_table(scores.path(".results.parquet"), columns=["layer", "upsampling"]).slice(0, 1)
    keys = set(pq.read_table(scores.path(".parquet"), columns=["key"])["key"].to_pylist())
    masked = [row for row in range(len(data.keys)) if str(data.keys[row]) in keys]
    rows = sorted(masked, key=lambda row: derive(settings.seed, "checked", str(data.keys[row])))[: settings.images]
    checks: list[dict[str, object]] = []
    if rows:
        (part,) = explained_layers(network, metadata, [results["layer"][0].as_py()]).values()
        with torch.random.fork_rng():
            torch.manual_seed(derive(settings.seed, "twin"))
            twin = random_twin(metadata)
        positions = np.array(rows, dtype=np.int64)
        labels, masks = data.labels[positions].astype(np.int64), np.stack([images.mask(row) for row in rows])
        train = training_rows(data, settings.seed)
        others = swapped_classes(head, data, positions, settings.seed)[:, 1]
        own = network, part, twin, data, head, images, labels, masks, images.batch(positions)
        options = settings.model_dump(exclude={"images"})
        options |= {"upsampling": results["upsampling"][0].as_py(), "device": job.device}
        checks = list(check_rows(Given(*own, train, others, **options)))
    write_table(job.file(".parquet"), pa.Table.from_pylist(checks, CHECKS))
    job.rows(len(masked), len(rows), {"over_limit": len(masked) - len(rows)})


STAGE = Stage(
    run=saliency_checks,
    settings=SaliencyChecks,
    artifact="{run}.{step}.{dataset}",
    packages=("torch", "torchvision", "timm", "transformers", "grad-cam", "scipy", "scikit-learn"),
    on_device=True,
)

FACTS = Facts(
    files={
        ".parquet": File(
            "corrected AP and rank correlation of maps after each part of the network is randomised; scores with "
            "permuted masks and labels; fall of the probe's logit without the highest and lowest pixels",
            Tolerance(0.05, 0.05, "none; as saliency"),
            published=True,
        )
    },
    environment="train",
    resources=Resources(minutes=120, memory_mb=32_000, gpu_mb=lambda _: 8_000, slot="evaluations"),
    cost=Cost(
        per="checked image",
        units=lambda load: min(load.masked, load.settings["images"]),
        core_ms=340,
        source="demo study, on a CPU",
    ),
    section="evaluation.saliency_checks",
    group="evaluation.{run}.{step}",
    names=lambda units: [
        f"{name}.{training.steps[-1]}.{dataset}"
        for name, training in units.trainings.items()
        if training.run.check_saliency and training.settings.seed == training.run.seeds[0]
        for dataset in units.mask_datasets
    ],
    inputs={
        "run": "pretrain/{run}",
        "features": "features/{run}.{step}.{dataset}",
        "probe": "linear_probe/{run}.{step}.{dataset}",
        "dataset": "eval_dataset/{dataset}",
        "images": lambda units, unit: units.images_seen(unit),
        "saliency": "saliency/{run}.{step}.{dataset}",
    },
)

if __name__ == "__main__":
    run_stage(STAGE)
