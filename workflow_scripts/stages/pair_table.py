"""The partners of every image, by caption or by image, excluding itself.

A kind of pairs is one file in ``pairs/kinds/``.
"""

from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import Field, model_validator

from workflow_scripts.core.declaration.facts import Facts, File, Tolerance
from workflow_scripts.core.declaration.kind_settings import settings_of, with_kinds
from workflow_scripts.core.errors import BUG, PipelineError
from workflow_scripts.core.registry import OneOf, discover, listed
from workflow_scripts.core.runtime.environment import FAISS, faiss_on_gpu
from workflow_scripts.core.runtime.precision import Precision
from workflow_scripts.core.runtime.stage import Job, Stage, run_stage
from workflow_scripts.core.settings import refuse_changed
from workflow_scripts.demo.world.settings import Label
from workflow_scripts.embeddings.facts import search_cost, search_resources
from workflow_scripts.pairs.pair_kind import PairInputs, PairKind, PartnerSettings

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

DAY = 86_400  # seconds
PAIR_KINDS = discover("workflow_scripts.pairs.kinds", PairKind)


@with_kinds(PAIR_KINDS, PartnerSettings)
class PairTable(PartnerSettings):
    """Which partners form pairs with an image."""

    kind: Annotated[str, OneOf(PAIR_KINDS)] = Field(
        "nearest", description=f"how partners are chosen. {listed(PAIR_KINDS)}", examples=["random"]
    )
    label: Label = Field("concept", examples=["texture"])
    """oracle: ground-truth label that partners share (only the demo has labels)."""

    @model_validator(mode="after")
    def _kind_accepts_them(self) -> Self:
        kind = PAIR_KINDS[self.kind]
        settings_of(self, kind)
        used = kind.settings.model_fields.keys() | ({"kind", "label"} if kind.needs_labels else {"kind"})
        refuse_changed(self, sorted(PairTable.model_fields.keys() - used), f"on pairs of kind {kind.name}")
        return self


def pair_table(job: Job[PairTable]) -> None:
    """Choose the partners of every image."""
    import numpy as np

    from workflow_scripts.core.files.jsonio import pretty
    from workflow_scripts.core.files.tables import write_table
    from workflow_scripts.pairs.table import as_table, keep
    from workflow_scripts.stats.intervals import figure, wilson

    kind, embedded, inputs = PAIR_KINDS[job.settings.kind], job.input("vectors"), _pair_inputs(job)
    pairs, keys = kind.find(inputs, settings_of(job.settings, kind)), inputs.keys
    if job.settings.drop_same_picture:
        pairs = keep(pairs, ~_show_the_same(job, pairs.target, keys["key"]), "same_picture")
    if embedded.has(".unknown.npy"):
        unknown = int(np.load(embedded.path(".unknown.npy"), allow_pickle=False).sum())
        pairs.without.update(empty_caption=pairs.without["empty_caption"] - unknown, no_known_word=unknown)
    table = as_table(pairs, keys["key"])
    write_table(job.file(".parquet"), table)
    counts: dict[str, Any] = {"images": len(keys), "pairs": len(table), "without_pair": pairs.without}
    hits, neighbours, images = pairs.recall
    if neighbours:
        # Neighbours of one image are not independent: n is the number of images.
        counts["recall"] = figure(wilson(hits / neighbours, images), images)
    job.file(".json").write_bytes(pretty(counts))
    job.rows(len(keys), len(keys) - sum(pairs.without.values()), pairs.without)


def _show_the_same(job: Job[PairTable], target: "np.ndarray", keys: "pa.ChunkedArray") -> "np.ndarray":
    """(n, k) bool: whether an image and its partner show the same picture, by the study's hashes.

    Raises:
        PipelineError: an image has no hashes.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    from workflow_scripts.evaluation.leakage.fingerprints import read_fingerprints
    from workflow_scripts.evaluation.leakage.search import NEAR, PAIRS_AT_ONCE, same_pictures

    hashes = pa.concat_tables([pq.read_table(block.path(".parquet")) for block in job.inputs("hashes")])
    place = pc.index_in(keys, value_set=hashes["key"])
    if place.null_count:
        raise PipelineError("images without hashes", "image_hashes", f"{place.null_count} images", BUG)
    prints, rows = hashes.drop_columns("key").combine_chunks(), place.to_numpy()
    same = np.zeros(target.shape, dtype=bool)
    source, column = np.nonzero(target >= 0)
    for start in range(0, len(source), PAIRS_AT_ONCE):
        part = source[start : start + PAIRS_AT_ONCE], column[start : start + PAIRS_AT_ONCE]
        first, second = (read_fingerprints(prints.take(pa.array(rows[side]))) for side in (part[0], target[part]))
        same[part] = same_pictures(first, second, NEAR)
    return same


def _kind(units: Any, unit: Any) -> PairKind:
    return PAIR_KINDS[units.item("pairs", unit["pairs"]).kind]


def _pair_inputs(job: Job[PairTable]) -> PairInputs:
    """Vectors and keys that the job reads, and labels or days if its kind needs them."""
    import numpy as np
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    from workflow_scripts.pairs.key_join import label_codes

    embedded, label, day = job.input("vectors"), None, None
    kind = PAIR_KINDS[job.settings.kind]
    vectors = np.load(embedded.path(".npy"), mmap_mode="r", allow_pickle=False)
    keys = pq.read_table(embedded.path(".keys.parquet"))
    if kind.needs_labels:
        name = job.settings.label
        truth = pq.read_table(job.input("truth").path(".truth.parquet"), columns=["image_id", name])
        label = label_codes(keys["key"], truth["image_id"], truth[name])
    if kind.needs_days:
        posts = pq.read_table(job.input("posts").path(".parquet"), columns=["image_id", "created_utc"])
        day = label_codes(keys["key"], posts["image_id"], pc.divide(posts["created_utc"], DAY))
    return PairInputs(vectors, keys, label, job.device, job.workers, day)


STAGE = Stage(
    run=pair_table,
    settings=PairTable,
    artifact="{pairs}",
    packages=("numpy", FAISS, "pyarrow"),
    on_device=faiss_on_gpu(),
    precision=Precision(torch=False),
    entries=lambda settings: {"pairs.kinds": [settings.kind]},
)

FACTS = Facts(
    files={
        ".parquet": File(
            "source, target, rank, cosine",
            Tolerance(1e-5, 0.01, "none; neighbours that differ by 1e-5 may swap"),
        ),
        ".json": File(
            "images without a pair, by reason; recall of an index other than Flat",
            Tolerance(1e-4, 0.02, "none; means over the table"),
            published=True,
        ),
    },
    environment="train",
    resources=search_resources(lambda load: load.images * (8_300 if load.settings["drop_same_picture"] else 5_600)),
    cost=search_cost(lambda load: load.images**2),
    disk=lambda load: load.rows * 100 * load.settings["k"],  # two keys, rank and cosine of each neighbour
    section="pairs.{pairs}",
    names=lambda units: [pairs.name for pairs in units.study.pairs],
    inputs={
        "vectors": lambda units, unit: [units.item("pairs", unit["pairs"]).vectors],
        "truth": lambda units, unit: units.all("demo_world") if _kind(units, unit).needs_labels else [],
        "posts": lambda units, unit: units.all("annotations") if _kind(units, unit).needs_days else [],
        "hashes": lambda units, unit: (
            units.all("image_hashes") if units.item("pairs", unit["pairs"]).drop_same_picture else []
        ),
    },
)

if __name__ == "__main__":
    run_stage(STAGE)
