"""Which test images of a downstream dataset are among the study's training images."""

from pydantic import Field

from workflow_scripts.core.declaration.facts import DECODING_MS, MILLION, Cost, Facts, File, Resources, Tolerance
from workflow_scripts.core.runtime.environment import FAISS
from workflow_scripts.core.runtime.stage import Job, Stage, run_stage
from workflow_scripts.core.settings import Settings, quantity


class Leakage(Settings):
    """Which test images count as near duplicates of a training image."""

    distance: int = quantity(70, unit="bits", ge=0, le=128, examples=[50])
    """Most bits of the perceptual hash, of 256, that may differ."""
    correlation: float = Field(0.93, gt=0, le=1, examples=[0.95])
    """Lowest correlation of the two pictures, once aligned."""


def leakage(job: Job[Leakage]) -> None:
    """Compare the test images, whole, cropped and mirrored, with all training images."""
    import json

    import numpy as np
    import pyarrow.parquet as pq

    from workflow_scripts.core.files.jsonio import pretty
    from workflow_scripts.core.files.tables import write_table
    from workflow_scripts.core.shards import dataset_images
    from workflow_scripts.evaluation.leakage.fingerprints import fingerprint, read_fingerprints
    from workflow_scripts.evaluation.leakage.search import Limits, counts_of, matches, matches_table, read_cosines

    dataset = job.input("dataset")
    table = pq.read_table(dataset.path(".parquet"), columns=["key", "split"])
    rows = np.flatnonzero(np.array(table["split"].to_pylist()) == "test")
    keys = table["key"].take(rows).to_pylist()
    tests = fingerprint(dataset_images(dataset), rows, mirrored=True, workers=job.workers)
    training = {"images": 0, "flat": 0}

    def blocks():  # type: ignore[no-untyped-def]
        for block in job.inputs("hashes"):
            part = pq.read_table(block.path(".parquet"))
            hashes = read_fingerprints(part)
            training["images"] += len(part)
            training["flat"] += int(hashes.flat.sum())
            yield part["key"].to_pylist(), hashes

    vectors = job.inputs("vectors")
    cosines = read_cosines(vectors, keys)
    pairs = matches(tests, blocks(), Limits(job.settings.distance, job.settings.correlation), cosines)
    write_table(job.file(".parquet"), matches_table(pairs, keys))
    facts = {
        "dataset": dataset.name,
        "test_images": len(keys),
        "training_images": training["images"],
        **counts_of(pairs),
        "nearly_of_one_colour": {"test": int(tests.flat.sum()), "training": training["flat"]},
        "distance": job.settings.distance,
        "correlation": job.settings.correlation,
        "vectors": json.loads(vectors[0].path(".json").read_bytes()) if vectors else None,
    }
    job.file(".json").write_bytes(pretty(facts))
    job.rows(len(keys), len(keys))


STAGE = Stage(
    run=leakage,
    settings=Leakage,
    artifact="{dataset}",
    packages=("numpy", "pillow", "simplejpeg", "pyarrow", FAISS),
)

FACTS = Facts(
    files={
        ".parquet": File(
            "pairs of a test image and a matching training image: whether found by pixels, hash or vectors, which of "
            "them is cropped, bits that differ, correlation, cosine; at most eight for each test image, the closest "
            "first",
            Tolerance(0.001, 0.01, "none; pairs at a limit"),
        ),
        ".json": File(
            "numbers of test images that have an identical or a near-duplicate training image", published=True
        ),
    },
    environment="train",
    resources=Resources(minutes=720, memory_mb=4_000, data=lambda load: load.images * 1_500, math=True),
    cost=Cost(
        per="ms of a core",
        units=lambda load: load.tested * (DECODING_MS + 4.0 + 24 * load.images / MILLION),
        core_ms=1.0,
        source="measured: for each test image, 4 ms for its 12 views and 24 ms to search a million training images",
    ),
    disk=lambda _: 1e6,
    section="leakage",
    names=lambda units: units.reported if units.trains else [],
    inputs={
        "dataset": "eval_dataset/{dataset}",
        "hashes": "image_hashes/*",
        "vectors": lambda units, unit: units.parts("vector_matches", unit["dataset"]),
    },
)

if __name__ == "__main__":
    run_stage(STAGE)
