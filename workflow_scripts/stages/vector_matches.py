"""The training images whose vectors are closest to those of the test images of a downstream dataset."""

from pydantic import Field

from workflow_scripts.core.declaration.facts import Facts, File, Tolerance
from workflow_scripts.core.runtime.environment import FAISS, faiss_on_gpu
from workflow_scripts.core.runtime.precision import Precision
from workflow_scripts.core.runtime.stage import Job, Stage, run_stage
from workflow_scripts.core.settings import Settings
from workflow_scripts.embeddings.facts import search_cost, search_resources


class VectorMatches(Settings):
    """Which test images count as near duplicates of a training image by their vectors."""

    cosine: float = Field(0.8, gt=0, le=1, examples=[0.7])
    """Lowest cosine of the vectors; the right value depends on the encoder (docs/leakage.md)."""


def vector_matches(job: Job[VectorMatches]) -> None:
    """Search the vectors of all training images, block by block."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    from workflow_scripts.core.files.jsonio import pretty
    from workflow_scripts.core.files.tables import write_table
    from workflow_scripts.evaluation.leakage.search import COSINES, NEAREST, close_pairs
    from workflow_scripts.pairs.search.candidates import all_largest

    sides = [job.input(name) for name in ("tests", "images")]
    tests, training = (np.load(side.path(".npy"), mmap_mode="r", allow_pickle=False) for side in sides)
    keys = [pq.read_table(side.path(".keys.parquet"), columns=["key"])["key"] for side in sides]
    products, rows = all_largest(tests, training, min(NEAREST, len(training)), job.device, job.workers)
    test, train, cosine = close_pairs(tests, training, rows, products, job.settings.cosine)
    columns = [keys[0].take(test), keys[1].take(train), pa.array(cosine, pa.float32())]
    write_table(job.file(".parquet"), pa.table(columns, schema=COSINES))
    counts = {"encoder": job.unit["encoder"], "cosine": job.settings.cosine, "training_images": len(training)}
    job.file(".json").write_bytes(pretty(counts))
    job.rows(len(tests), len(tests))


STAGE = Stage(
    run=vector_matches,
    settings=VectorMatches,
    artifact="{dataset}.{encoder}",
    packages=("numpy", FAISS, "pyarrow"),
    on_device=faiss_on_gpu(),
    precision=Precision(torch=False),
)

FACTS = Facts(
    files={
        ".parquet": File(
            "pairs of a test image and a training image with a high cosine, at most eight for each test image",
            Tolerance(1e-5, 0.01, "none; pairs at the limit"),
        ),
        ".json": File("encoder, lowest cosine, number of training images", published=True),
    },
    environment="train",
    resources=search_resources(lambda load: load.images * 4_000),
    cost=search_cost(lambda load: load.tested * load.images),
    disk=lambda load: load.tested * 100,
    section="leakage",
    names=lambda units: [
        f"{dataset}.{encoder}"
        for dataset in units.names("leakage")
        for encoder in [units.study.leakage.encoder]
        if encoder
    ],
    inputs={"tests": "embed_tests/{dataset}.{encoder}", "images": "embed_images/{encoder}"},
)

if __name__ == "__main__":
    run_stage(STAGE)
