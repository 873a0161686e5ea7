"""The images of a downstream dataset as networks see them: decoded, resized and cropped once for all checkpoints."""

from workflow_scripts.core.declaration.facts import DECODING_MS, Cost, Facts, File, Resources
from workflow_scripts.core.runtime.stage import Job, Stage, run_stage
from workflow_scripts.models.networks.view import View


class EvalImages(View):
    """How the images are scaled: follows from the runs and the section evaluation."""


def eval_images(job: Job[EvalImages]) -> None:
    """Decode, resize and crop every image and mask of the dataset."""
    import pyarrow.parquet as pq

    from workflow_scripts.core.shards import dataset_images
    from workflow_scripts.evaluation.packing import pack_images, pack_masks

    dataset, view = job.input("dataset"), job.settings
    images, masks = dataset_images(dataset), dataset_images(dataset, "mask_")
    pack_images(images, view, job.file(".npy"), job.workers)
    keys = pq.read_table(dataset.path(".parquet"), columns=["key"])["key"].to_pylist()
    where = f"dataset {dataset.name}"
    pack_masks(masks, keys, view, job.file(".masks.npy"), job.file(".masked.npy"), where)
    job.rows(len(images), len(images))


STAGE = Stage(
    run=eval_images,
    settings=EvalImages,
    artifact="{dataset}.{view}",
    packages=("torch", "pillow", "simplejpeg", "numpy"),
)

FACTS = Facts(
    files={
        ".npy": File("images (n, s, s, 3), uint8, rows as in the dataset's table"),
        ".masks.npy": File("masks (m, s, s), uint8: 0 background, 1 object, 255 ignored"),
        ".masked.npy": File("the rows that these masks belong to (m,), int64, ascending"),
    },
    environment="train",
    resources=Resources(minutes=240, memory_mb=8_000, workers=True),
    cost=Cost(per="labelled image", units=lambda load: load.labelled, core_ms=DECODING_MS, source="measured decoding"),
    disk=lambda load: (3 * load.labelled + 2 * load.masked) * load.settings["size"] ** 2,
    names=lambda units: [f"{dataset}.{view}" for dataset in units.reported for view in units.views],
    inputs={"dataset": "eval_dataset/{dataset}"},
    settings=lambda units, unit: units.views[unit["view"]].model_dump(mode="json"),
)

if __name__ == "__main__":
    run_stage(STAGE)
