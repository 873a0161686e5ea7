"""Frozen features of one checkpoint on one downstream dataset."""

from dataclasses import replace

from workflow_scripts.core.declaration.facts import File, Resources, Tolerance
from workflow_scripts.core.runtime.stage import Job, Stage, run_stage
from workflow_scripts.core.settings import Settings, quantity
from workflow_scripts.evaluation.facts import SCORES


class Features(Settings):
    """Frozen features; the size of images follows from the run."""

    batch_size: int = quantity(256, unit="images", ge=1, examples=[128])
    """Images per forward pass; changes the last bits of features."""


def features(job: Job[Features]) -> None:
    """Extract the dataset's features with the checkpoint named by the unit's ``step``."""
    import numpy as np

    from workflow_scripts.evaluation.feature_extraction import extract
    from workflow_scripts.evaluation.packed import load_packed
    from workflow_scripts.models.backbones import load_backbone

    run = job.input("run")
    weights = run.path(f"/{job.unit['step']}.safetensors")
    network, _ = load_backbone(weights, run.path("/run.json"))
    images = load_packed(job.input("images"))
    vectors = extract(network, images, job.settings.batch_size, job.device, weights)
    np.save(job.file(".npy"), vectors)
    job.rows(len(vectors), len(vectors))


STAGE = Stage(
    run=features,
    settings=Features,
    artifact="{run}.{step}.{dataset}",
    packages=("torch", "torchvision", "timm", "transformers"),
    on_device=True,
)

FACTS = replace(
    SCORES,
    files={
        ".npy": File("frozen features, rows as in the dataset's table", Tolerance(1e-4, 0, "6e-7")),
    },
    # The profile sets how many of these jobs a SLURM job runs at a time.
    resources=Resources(
        minutes=30,
        memory_mb=16_000,
        data=lambda load: load.labelled * load.features * 8,
        workers=True,
        gpu_mb=lambda load: 2_000 + 2 * load.forward_gflop * load.settings["batch_size"],
        slot="evaluations",
    ),
    cost=replace(
        SCORES.cost,
        gflop=lambda load: load.forward_gflop,
        source="measured: checking and reading 224-pixel images; counted: a forward pass of the backbone",
    ),
    disk=lambda load: load.labelled * load.features * 4,
    section="evaluation.features",
    inputs={"run": "pretrain/{run}", "images": lambda units, unit: units.images_seen(unit)},
)

if __name__ == "__main__":
    run_stage(STAGE)
