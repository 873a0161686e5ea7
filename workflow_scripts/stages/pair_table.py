"""The nearest neighbours of every image by caption or by image, excluding itself."""

from typing import Annotated

from pydantic import Field, model_validator

from workflow_scripts.core.declaration.facts import Cost, Facts, File, Resources, Tolerance
from workflow_scripts.core.declaration.stage import Stage
from workflow_scripts.core.registry import OneOf, listed
from workflow_scripts.core.settings import Settings
from workflow_scripts.core.stage import Job, run_stage
from workflow_scripts.embeddings.width import WIDTH
from workflow_scripts.pairs.scopes import SCOPES


class PairTable(Settings):
    """Which nearest neighbours form pairs."""

    k: int = Field(
        1,
        ge=1,
        description="neighbours per image; the paper uses 1",
        examples=[5],
        json_schema_extra={"unit": "neighbours"},
    )
    scope: Annotated[str, OneOf(SCOPES)] = Field(
        "global", description=f"where the neighbours of an image are searched for. {listed(SCOPES)}", examples=["year"]
    )
    min_cosine: float | None = Field(
        None,
        ge=-1,
        le=1,
        description="less similar neighbours are skipped; null: no limit",
        examples=[0.5],
        json_schema_extra={"unit": "cosine"},
    )
    max_cosine: float | None = Field(
        None,
        ge=-1,
        le=1,
        description="more similar neighbours are skipped, such as repeated captions at 0.999; null: no limit",
        examples=[0.999],
        json_schema_extra={"unit": "cosine"},
    )

    @model_validator(mode="after")
    def _ordered(self) -> "PairTable":
        if self.min_cosine is not None and self.max_cosine is not None and self.min_cosine > self.max_cosine:
            raise ValueError(f"min_cosine {self.min_cosine} is above max_cosine {self.max_cosine}")
        return self


def pair_table(job: Job[PairTable]) -> None:
    """Search the caption vectors for neighbours."""
    import numpy as np
    import pyarrow.parquet as pq

    from workflow_scripts.core.files.jsonio import pretty
    from workflow_scripts.core.files.tables import write_table
    from workflow_scripts.pairs import table
    from workflow_scripts.pairs.neighbours import Rule

    options, embedded = job.settings, job.input("vectors")
    vectors = np.load(embedded.path(".npy"), mmap_mode="r", allow_pickle=False)
    keys = pq.read_table(embedded.path(".keys.parquet"))
    lowest = -np.inf if options.min_cosine is None else options.min_cosine
    highest = np.inf if options.max_cosine is None else options.max_cosine
    pairs = table.pair_table(vectors, keys, Rule(options.k, lowest, highest), options.scope, job.device)
    write_table(job.file(".parquet"), pairs.table)
    without = sum(pairs.without.values())
    counts = {"images": len(keys), "pairs": len(pairs.table), "without_pair": pairs.without}
    job.file(".json").write_bytes(pretty(counts))
    job.rows(len(keys), len(keys) - without, pairs.without)


STAGE = Stage(
    run=pair_table,
    settings=PairTable,
    artifact="{pairs}",
    inputs=("vectors",),
    packages=("numpy", "faiss-cpu", "pyarrow"),
    on_device=True,
)

FACTS = Facts(
    files={
        ".parquet": File(
            "source, target, rank, cosine",
            Tolerance(1e-5, 0.01, "none; neighbours that differ by 1e-5 may swap"),
        ),
        ".json": File(
            "images without a pair, by reason", Tolerance(1e-4, 0.02, "none; means over the table"), published=True
        ),
    },
    environment="knn-{device}",
    resources=Resources(minutes=480, memory_mb=96_000, scales="gpu", workers=True, gpu=True),
    cost=Cost(
        per="pair of images compared",
        units=lambda load: load.images**2,
        core_ms=0,
        gflop=lambda _: 2e-9 * WIDTH,
        source=f"counted: {WIDTH} dimensions, exact search",
    ),
    disk=lambda load: load.rows * 100 * load.settings["k"],  # two keys, rank and cosine of each neighbour
    names="pairs",
    section="pairs.{pairs}",
)

if __name__ == "__main__":
    run_stage(STAGE)
