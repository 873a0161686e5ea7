"""Which of two captions of an image judges choose, and how far their choices agree.

A choice is the new caption, if it scores higher than the old one by more than a margin, or else the old one.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from workflow_scripts.captions.score_table import HALVES, KINDS, by_halves, score_names
from workflow_scripts.stats.clustered import cohen_kappa, figure_by_draws, share, spearman
from workflow_scripts.stats.seeds import derive

MARGINS = (0.5, 1.0)
"""Those whose choices are compared with those of margin 0, in units of the score."""


class Scores(NamedTuple):
    """One score of a judge: scores of n old and new captions (``by_halves``); (n,) the random image, the cluster."""

    old: np.ndarray
    new: np.ndarray
    images: np.ndarray

    def gain(self) -> np.ndarray:
        """New less old score; NaN where one of them is unknown."""
        return self.new - self.old


Compared = Mapping[tuple[str, str], Mapping[str, Scores]]
"""(judge, name of the score) -> raw and centred scores."""


def sample(blocks: Iterable[Mapping[str, Sequence[Path]]], size: int, seed: int) -> tuple[Compared, int]:
    """Scores of at most ``size`` images, a random choice of those whose captions all judges scored.

    Memory is bounded by the size and the largest block.

    Args:
        blocks: judge -> tables of the old and the new captions, block by block.

    Returns:
        the scores, and the number of images that all judges scored.
    """
    rng = np.random.default_rng(derive(seed, "images compared by judges"))
    kept: pa.Table | None = None
    total = 0
    for tables in blocks:
        found = _common({judge: _both(*paths) for judge, paths in tables.items()})
        total += len(found)
        found = found.append_column("draw", pa.array(rng.random(len(found))))
        kept = found if kept is None else pa.concat_tables([kept, found])
        # The images with the smallest numbers of all are a random choice, and no others need to be held.
        kept = kept.take(pa.array(np.sort(np.argsort(kept["draw"].to_numpy(), kind="stable")[:size])))
    assert kept is not None
    names = [column.split("/")[:2] for column in kept.column_names if column.endswith("/old/")]
    return {
        (judge, name): {kind: _scores(kept, judge, name, ending) for kind, ending in KINDS.items()}
        for judge, name in names
    }, total


def _both(old: Path, new: Path) -> pa.Table:
    """Columns ``key``, ``images``, and by score, age and column ``<score>/old/_centred`` of a judge's tables.

    A new caption that is the old one has the old one's scores: those of its own differ by rounding, in another batch.
    """
    tables = [pq.read_table(path) for path in (old, new)]
    found = {"key": tables[0]["key"], "images": tables[0]["random_image"].fill_null(-1)}
    at = pc.index_in(tables[0]["key"], value_set=tables[1]["key"])
    equal = pc.equal(tables[0]["text"], tables[1]["text"].take(at))
    for name in score_names(tables[0]):
        for ending in (*KINDS.values(), HALVES):
            old, new = tables[0][f"{name}{ending}"], tables[1][f"{name}{ending}"].take(at)
            found |= {f"{name}/old/{ending}": old, f"{name}/new/{ending}": pc.if_else(equal, old, new)}
    return pa.table(found)


def _common(judges: Mapping[str, pa.Table]) -> pa.Table:
    """``<judge>/<column>`` of the images that all judges scored."""
    first, *others = judges.values()
    keys = first["key"]
    for one in others:
        keys = keys.filter(pc.is_in(keys, value_set=one["key"]))
    found: dict[str, pa.ChunkedArray] = {}
    for judge, table in judges.items():
        rows = table.take(pc.index_in(keys, value_set=table["key"])).drop_columns("key")
        found |= {f"{judge}/{name}": rows[name] for name in rows.column_names}
    return pa.table(found)


def _scores(table: pa.Table, judge: str, name: str, ending: str) -> Scores:
    old, new = (by_halves(table, f"{judge}/{name}/{age}/", ending) for age in ("old", "new"))
    return Scores(old, new, table[f"{judge}/images"].to_numpy())


def judges(compared: Compared) -> dict[str, Any]:
    """Figures of each judge, by judge and score.

    ``raw`` and ``centred``: ``replaced``, the share of images for which the new caption is chosen at margin 0, and
    by margin ``flips_at``, the share for which that margin changes the choice. ``flips_centred``: the share for
    which raw and centred score choose differently at margin 0. ``replaced_by_style``: of the images for which the
    raw score chooses the new caption, the share for which the centred one does not.
    """
    found: dict[str, Any] = {}
    for (judge, name), kinds in compared.items():
        raw, centred = (one.gain() for one in kinds.values())
        both, images = ~np.isnan(raw[0] + centred[0]), kinds["raw"].images
        replaced = both & (raw[0] > 0)
        found.setdefault(judge, {})[name] = {
            **{kind: _choices(one) for kind, one in kinds.items()},
            "flips_centred": _share((raw > 0) != (centred > 0), both, images),
            "replaced_by_style": _share(centred <= 0, replaced, images),
        }
    return found


def _choices(scores: Scores) -> dict[str, Any]:
    gain = scores.gain()
    known = ~np.isnan(gain[0])
    flips = {f"{margin:g}": _share((gain > 0) != (gain > margin), known, scores.images) for margin in MARGINS}
    return {"replaced": _share(gain > 0, known, scores.images), "flips_at": flips}


def pairs(compared: Compared) -> dict[str, Any]:
    """Figures of each two scores, both raw or both centred.

    ``spearman``: rank correlation of the scores of the new captions; ``flips``: the share of images for which they
    choose differently at margin 0; ``kappa``: their agreement on the choice beyond chance.
    """
    found: dict[str, Any] = {}
    for (one, first), (two, second) in combinations(compared.items(), 2):
        title = f"{' '.join(one)} and {' '.join(two)}"
        found[title] = {kind: _pair(first[kind], second[kind]) for kind in KINDS}
    return found


def _pair(first: Scores, second: Scores) -> dict[str, Any]:
    gains = first.gain(), second.gain()
    known, scored = ~np.isnan(gains[0] + gains[1])[0], ~np.isnan(first.new + second.new)[0]
    one, two = (gain > 0 for gain in gains)
    return {
        "spearman": figure_by_draws(spearman, scored, first.images, first.new, second.new),
        "kappa": figure_by_draws(cohen_kappa, known, first.images, one, two),
        "flips": _share(one != two, known, first.images),
    }


def _share(hits: np.ndarray, among: np.ndarray, images: np.ndarray) -> dict[str, Any]:
    return figure_by_draws(share, among, images, hits)
