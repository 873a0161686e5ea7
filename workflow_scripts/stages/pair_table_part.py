"""The nearest neighbours of a part of the images; ``pair_table`` gathers the parts.

Inputs: ``vectors`` as of ``pair_table``.
"""

from workflow_scripts.core.declaration.facts import Facts, File, Tolerance
from workflow_scripts.core.declaration.parts import part_names
from workflow_scripts.core.declaration.stage import Stage
from workflow_scripts.core.runtime.environment import FAISS, faiss_on_gpu
from workflow_scripts.core.stage import Job, run_stage
from workflow_scripts.embeddings.facts import search_cost, search_resources
from workflow_scripts.stages.pair_table import COSINE, PAIR_KINDS, ROWS, TARGET, PairTable, pair_inputs


class PairTablePart(PairTable):
    """Which neighbours are searched: those that the pair table chooses from."""


def pair_table_part(job: Job[PairTablePart]) -> None:
    """Search the neighbours of one part of the distinct vectors of each scope."""
    import numpy as np

    from workflow_scripts.core.declaration.kind_settings import settings_of
    from workflow_scripts.core.declaration.parts import named_part

    kind = PAIR_KINDS[job.settings.kind]
    assert kind.search is not None
    found = kind.search(pair_inputs(job), settings_of(job.settings, kind), named_part(job.unit["part"]))
    rows = np.flatnonzero(found.asked)
    for suffix, values in ((ROWS, rows), (TARGET, found.target[rows]), (COSINE, found.cosine[rows])):
        np.save(job.file(suffix), values, allow_pickle=False)
    job.rows(len(rows), len(rows))


STAGE = Stage(
    run=pair_table_part,
    settings=PairTablePart,
    artifact="{pairs}.{part}",
    packages=("numpy", FAISS, "pyarrow"),
    not_in_key=frozenset({"parts", "min_cosine", "min_quantile", "max_quantile", "max_uses", "recall_sample"}),
    on_device=faiss_on_gpu(),
)

FACTS = Facts(
    files={
        ROWS: File("the images of the part, by their rows"),
        TARGET: File("rows of their neighbours, best first; -1: none", Tolerance(0, 0.01, "none; near ties may swap")),
        COSINE: File("their cosines, float32; -inf: none", Tolerance(1e-5, 0.01, "none; near ties may swap")),
    },
    environment="train",
    resources=search_resources(lambda load: load.images * load.parts * 5_600),  # all vectors
    cost=search_cost(lambda load: load.images**2 * load.parts),
    disk=lambda load: load.rows * (8 + 8 * load.settings["k"]),  # the row, and k neighbours with cosines
    section="pairs.{pairs}",
    names=lambda units: [f"{pairs.name}.{part}" for pairs in units.study.pairs for part in part_names(pairs.parts)],
    inputs={"vectors": lambda units, unit: [units.item("pairs", unit["pairs"]).vectors]},
)

if __name__ == "__main__":
    run_stage(STAGE)
