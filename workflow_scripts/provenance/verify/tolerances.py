"""How far a recomputed file may lie from the recorded one where the machine differs from the recorded one.

At the recorded device, math threads, processor and versions every stage gives the same bytes on a CPU. Elsewhere sums
are taken in another order: stages that only copy, count or cut still give the same bytes, the others move as the table
says. A file that is not in the table must be bit-exact everywhere.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Tolerance:
    """What a stage's files may deviate by.

    Attributes:
        number: of a floating-point number, as
            :class:`workflow_scripts.provenance.verify.compare.Deviation` measures it.
        unequal: share of a column's cells that may differ all the same: numbers by more, anything else at all (a
            caption at a near tie, a hit that flips, a pixel of a chart).
        source: where the bound is from.
    """

    number: float
    unequal: float
    source: str


_SEEN = "seen on the demo with 2 math threads and without AVX: "
# Stage and ending of the file's name. Every bound leaves room above what was seen, for larger models and batches.
TOLERANCES: dict[tuple[str, str], Tolerance] = {
    ("recaption", ".parquet"): Tolerance(1e-4, 0.005, f"{_SEEN}8e-7, no caption"),
    ("caption_quality", ".parquet"): Tolerance(1e-4, 0.005, f"{_SEEN}1e-6, no rank"),
    ("caption_quality", ".json"): Tolerance(1e-4, 0.02, f"{_SEEN}none; means of the table's columns"),
    ("caption_quality", ".png"): Tolerance(0, 0.02, f"{_SEEN}none; drawn from the table"),
    ("embed_captions", ".npy"): Tolerance(1e-5, 0, f"{_SEEN}2e-7"),
    ("embed_images", ".npy"): Tolerance(1e-5, 0, f"{_SEEN}3e-7"),
    ("pair_table", ".parquet"): Tolerance(1e-5, 0.01, f"{_SEEN}none; neighbours as near as 1e-5 may change places"),
    ("pair_table", ".json"): Tolerance(1e-4, 0.02, f"{_SEEN}none; means over the table"),
    ("pair_quality", ".parquet"): Tolerance(1e-4, 0.01, f"{_SEEN}none; as pair_table"),
    ("pair_quality", ".json"): Tolerance(1e-4, 0.02, f"{_SEEN}none; as pair_table"),
    ("pair_quality", ".png"): Tolerance(0, 0.02, f"{_SEEN}none; drawn from the table"),
    ("pretrain", ".safetensors"): Tolerance(0.5, 0, f"{_SEEN}0.33 of the weights' norm; another seed: 0.92"),
    ("pretrain", "/curve.parquet"): Tolerance(0.2, 0, f"{_SEEN}0.08, of the loss: rounding grows with every step"),
    ("pretrain", "/run.json"): Tolerance(0.15, 0.2, f"{_SEEN}0.06, of the probe's accuracy"),
    ("features", ".npy"): Tolerance(1e-4, 0, f"{_SEEN}6e-7"),
    ("linear_probe", ".parquet"): Tolerance(0.01, 0.01, f"{_SEEN}none; items at the border of two classes"),
    ("linear_probe", ".safetensors"): Tolerance(0.01, 0, f"{_SEEN}none; the fit ends at a gradient of 1e-5"),
    ("few_shot", ".parquet"): Tolerance(0.01, 0.01, f"{_SEEN}none; items as near to two prototypes"),
    ("saliency", ".parquet"): Tolerance(0.01, 0.01, f"{_SEEN}0.2 % of the values by more: a hit flips"),
    ("saliency", ".results.parquet"): Tolerance(0.05, 0, f"{_SEEN}0.011"),
    ("saliency", ".npz"): Tolerance(0, 0.005, f"{_SEEN}0.006 % of the maps' pixels, by 1 of 255"),
    ("summary", ".parquet"): Tolerance(1e-9, 0, f"{_SEEN}2e-16"),
    ("summary", ".csv"): Tolerance(1e-9, 0, f"{_SEEN}2e-16"),
}


def tolerance(stage: str, suffix: str) -> Tolerance | None:
    """The bound of a stage's file, or None where bytes must be the same."""
    endings = [ending for name, ending in TOLERANCES if name == stage and suffix.endswith(ending)]
    return TOLERANCES[stage, max(endings, key=len)] if endings else None
