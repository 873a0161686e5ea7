"""The pairs of rows that may be among the k best of a row: blocked products, each used for its rows and its columns.

A product has a rounding error of which a bound is known, so a pair can be ruled out without computing it exactly: its
product must lie below the row's k-th best one by more than twice the bound. What is left, little more than k pairs per
row, is for the caller to compute exactly. So the result of a search does not depend on the precision of the products,
and they can be of bfloat16 numbers where the hardware is faster with these.
"""

import time
from dataclasses import dataclass
from itertools import chain

import numpy as np
import torch

from workflow_scripts.core.runtime.progress import progress
from workflow_scripts.pairs.search.candidates import ROUNDING
from workflow_scripts.pairs.search.precision import known_precision

GROUP = 32
"""Columns (or rows) of a block whose maximum is compared first."""
SIDE = {"cpu": 2048, "cuda": 16_384}
"""Rows of a block; a multiple of GROUP."""
MOST = 64
"""Pairs beyond k that a row may have."""
PENDING = 4_000_000
"""Number of pairs kept before those that have since been ruled out are removed; later, twice those that then remain."""
OUTPUT = 2.0**-9 * 1.05
"""Bound on the error of rounding a product to bfloat16, likewise."""
FASTER = 1.3
"""Minimum speed-up at which bfloat16 products are used, since they rule out fewer pairs."""
Entries = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


@dataclass(frozen=True)
class ClosePairs:
    """Pairs that may be among the k best of their row.

    Attributes:
        row: (m,) int64, ascending.
        other: (m,) int64, never the row itself.
        left: (r,) int64 ascending, rows with more than MOST + k such pairs; none of theirs are in ``row``.
    """

    row: np.ndarray
    other: np.ndarray
    left: np.ndarray


@known_precision()
@torch.inference_mode()
def close_pairs(
    vectors: np.ndarray,
    k: int,
    device: str,
    highest: float = np.inf,
    half: bool | None = None,
    rows: range | None = None,
) -> ClosePairs:
    """The pairs of different rows that may be among the ``k`` largest inner products of their row, or tie with them.

    Args:
        vectors: (n, d) float32, an array or a memory map.
        k: at least 1.
        highest: larger products do not count.
        device: ``cpu`` or ``cuda``, to which the vectors are copied once, and where they must fit.
        half: whether products are of bfloat16 numbers; None: if they are faster here.
        rows: those whose pairs are wanted; None: all.
    """
    side, rows = SIDE[device], range(len(vectors)) if rows is None else rows
    if half is None:
        half = _half_is_faster(vectors, device)
    search = _Search(vectors, (k, highest), torch.device(device), half)
    own = _blocks(rows, side)
    for block in own:
        search.within(block)
    # Of two blocks of wanted rows the products are computed once; those with other rows are used for one side only.
    rest = _blocks(range(rows.start), side) + _blocks(range(rows.stop, len(vectors)), side)
    both = ((one, other, True) for place, one in enumerate(own) for other in own[place + 1 :])
    single = ((one, other, False) for one in own for other in rest)
    count = len(own) * (len(own) - 1) // 2 + len(own) * len(rest)
    for one, other, twice in progress(chain(both, single), count, "blocks of products"):
        search.between(one, other, twice)
    return search.result()


def _blocks(rows: range, side: int) -> list[slice]:
    return [slice(start, min(start + side, rows.stop)) for start in range(rows.start, rows.stop, side)]


def _half_is_faster(vectors: np.ndarray, device: str) -> bool:
    """Time one product of each type. The choice does not change which k are the best."""
    full = torch.from_numpy(np.array(vectors[: SIDE[device]])).to(device)
    seconds = []
    for block in (full, full.bfloat16()):
        trials = []
        for _ in range(3):
            begin = time.perf_counter()
            torch.mm(block, block.T)[0, 0].item()
            trials.append(time.perf_counter() - begin)
        seconds.append(min(trials))
    return seconds[0] > FASTER * seconds[1]


class _Search:
    def __init__(self, vectors: np.ndarray, wanted: tuple[int, float], device: torch.device, half: bool) -> None:
        self._vectors, self._device = vectors, device
        self._k, highest = wanted
        self._type = torch.bfloat16 if half else torch.float32
        self._copy = None if device.type == "cpu" and not half else self._copied()
        self._twice = self._twice_the_error(half)
        self._sure = highest - self._twice / 2  # a product up to here counts for certain
        self._most = highest + self._twice / 2  # a product above does not
        shape = (len(vectors), self._k)
        self._best = torch.full(shape, -torch.inf, device=device)  # the k best of each row's products that count
        self._least = torch.full((len(vectors),), -torch.inf, device=device)  # pairs below it are ruled out
        self._closed = torch.zeros(len(vectors), dtype=torch.bool, device=device)
        self._found: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = []
        self._pending, self._limit = 0, PENDING

    def _copied(self) -> torch.Tensor:
        copy = torch.empty(self._vectors.shape, dtype=self._type, device=self._device)
        for start in range(0, len(copy), SIDE["cpu"]):
            copy[start : start + SIDE["cpu"]] = torch.from_numpy(np.array(self._vectors[start : start + SIDE["cpu"]]))
        return copy

    def _twice_the_error(self, half: bool) -> torch.Tensor:
        """(n,) float32: twice the bound on the error of any product of a row."""
        norms, lost = np.zeros(len(self._vectors)), np.zeros(len(self._vectors))
        for start in range(0, len(norms), SIDE["cpu"]):
            part = slice(start, start + SIDE["cpu"])
            block = np.array(self._vectors[part])
            norms[part] = np.linalg.norm(block.astype(np.float64), axis=1)
            if half:
                rounded = torch.from_numpy(block).bfloat16().float().numpy()
                lost[part] = np.linalg.norm(block.astype(np.float64) - rounded, axis=1)
        relative = ROUNDING + (OUTPUT if half else 0.0)
        most, most_lost = norms.max(initial=0.0), lost.max(initial=0.0)
        # |x.y - x'.y'| <= |x| |y - y'| + |x - x'| |y| + |x - x'| |y - y'|
        bound = relative * (norms + lost) * (most + most_lost) + norms * most_lost + lost * most + lost * most_lost
        return torch.from_numpy(2 * bound).to(self._device, torch.float32) * (1 + 1e-6)

    def _block(self, rows: slice) -> torch.Tensor:
        """(s, d), filled up with zeros so that s is a multiple of GROUP."""
        found = torch.from_numpy(np.array(self._vectors[rows])) if self._copy is None else self._copy[rows]
        return torch.nn.functional.pad(found, (0, 0, 0, -len(found) % GROUP))

    def _products(self, rows: slice, columns: slice) -> torch.Tensor:
        """(s, t); -inf where a row or column is none."""
        one, other = self._block(rows), self._block(columns)
        found = torch.mm(one, other.T)
        found[rows.stop - rows.start :] = -torch.inf
        found[:, columns.stop - columns.start :] = -torch.inf
        return found

    def within(self, rows: slice) -> None:
        """Pairs of rows of one block, before those of any others."""
        products = self._products(rows, rows)
        products.fill_diagonal_(-torch.inf)
        real = len(self._best[rows])
        counts = products[:real].masked_fill(products[:real] > self._sure[rows, None], -torch.inf)
        first = counts.topk(min(self._k, products.shape[1]), dim=1).values.float()
        self._best[rows, : first.shape[1]] = first
        self._least[rows] = self._best[rows].amin(dim=1) - self._twice[rows]
        self._keep(*_in_rows(products[:real], self._least[rows], self._most[rows]), rows.start, rows.start)

    def between(self, rows: slice, columns: slice, twice: bool) -> None:
        """Pairs of two different blocks, for the first's rows and, if ``twice``, for the other's too."""
        products = self._products(rows, columns)
        row, column, value = _in_rows(products[: len(self._best[rows])], self._least[rows], self._most[rows])
        self._improve(row + rows.start, value)
        self._keep(row, column, value, rows.start, columns.start)
        if not twice:
            return
        column, row, value = _in_columns(
            products[:, : len(self._best[columns])], self._least[columns], self._most[columns]
        )
        self._improve(column + columns.start, value)
        self._keep(column, row, value, columns.start, rows.start)

    def _keep(self, row: torch.Tensor, other: torch.Tensor, value: torch.Tensor, start: int, others: int) -> None:
        if len(row):
            self._found.append((row + start, other + others, value))
            self._pending += len(row)
            if self._pending > self._limit:
                self._compact()

    def _improve(self, row: torch.Tensor, value: torch.Tensor) -> None:
        """Take new products into the k best of their rows."""
        counts = value <= self._sure[row]
        row, value = row[counts], value[counts]
        if not len(row):
            return
        order = torch.argsort(value, descending=True)
        order = order[torch.argsort(row[order], stable=True)]
        row, value = row[order], value[order]
        changed, run, length = torch.unique_consecutive(row, return_inverse=True, return_counts=True)
        place = torch.arange(len(row), device=row.device) - (length.cumsum(0) - length)[run]
        among = place < self._k
        more = torch.full((len(changed), self._k), -torch.inf, device=row.device)
        more[run[among], place[among]] = value[among]
        best = torch.cat([self._best[changed], more], dim=1).topk(self._k, dim=1).values
        self._best[changed] = best
        self._least[changed] = best.amin(dim=1) - self._twice[changed]

    def _compact(self) -> None:
        """Remove pairs that later ones have ruled out, and close rows that have too many."""
        if not self._found:
            return
        row, other, value = (torch.cat(parts) for parts in zip(*self._found, strict=True))
        kept = value >= self._least[row]
        row, other, value = row[kept], other[kept], value[kept]
        self._closed |= torch.bincount(row, minlength=len(self._closed)) > MOST + self._k
        self._least[self._closed] = torch.inf
        kept = ~self._closed[row]
        self._found = [(row[kept], other[kept], value[kept])]
        self._pending = len(self._found[0][0])
        self._limit = max(PENDING, 2 * self._pending)  # so that removing costs no more than finding

    def result(self) -> ClosePairs:
        """What has not been ruled out."""
        self._compact()
        empty = torch.zeros(0, dtype=torch.int64)
        row, other, _ = self._found[0] if self._found else (empty, empty, empty)
        order = torch.argsort(row, stable=True)
        row, other = row[order].cpu(), other[order].cpu()
        return ClosePairs(row.numpy(), other.numpy(), self._closed.nonzero()[:, 0].cpu().numpy())


def _in_rows(products: torch.Tensor, least: torch.Tensor, most: torch.Tensor) -> Entries:
    """Row, column and value (float32) of the entries of (s, t) ``products`` between ``least`` and ``most`` (s,)."""
    grouped = products.unflatten(1, (-1, GROUP))
    row, group = (grouped.amax(dim=2) >= least[:, None]).nonzero(as_tuple=True)
    values = grouped[row, group].float()
    hit, place = _between(values, least[row], most[row])
    return row[hit], group[hit] * GROUP + place, values[hit, place]


def _in_columns(products: torch.Tensor, least: torch.Tensor, most: torch.Tensor) -> Entries:
    """Column, row and value of the entries of (s, t) ``products`` between ``least`` and ``most`` (t,)."""
    grouped = products.unflatten(0, (-1, GROUP))
    group, column = (grouped.amax(dim=1) >= least).nonzero(as_tuple=True)
    values = grouped[group[:, None], torch.arange(GROUP, device=group.device), column[:, None]].float()
    hit, place = _between(values, least[column], most[column])
    return column[hit], group[hit] * GROUP + place, values[hit, place]


def _between(values: torch.Tensor, least: torch.Tensor, most: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    inside = (values >= least[:, None]) & (values <= most[:, None]) & (values > -torch.inf)
    hit, place = inside.nonzero(as_tuple=True)
    return hit, place
