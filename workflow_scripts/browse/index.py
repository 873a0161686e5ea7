"""Questions to the index of a study: which images a view has, and what is known about an image."""

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from workflow_scripts.browse.build import RANKS, SCORES, SUBREDDITS, TABLES
from workflow_scripts.browse.view import PER_PAGE, View, match_expression
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.jsonio import read_json
from workflow_scripts.core.files.names import ABOUT


@dataclass(frozen=True)
class Found:
    """A page of a view.

    Attributes:
        rows: of its images.
        values: (len(rows),) float32, the value by which the view is ordered; None if it has none.
        total: number of images on all pages.
    """

    rows: list[int]
    values: np.ndarray | None
    total: int


@dataclass(frozen=True)
class Caption:
    """A caption as it is shown.

    Attributes:
        arms: the arms that have it.
        text: masked, on one line, not escaped.
        origin: where it is from, such as ``generated``.
        characters: length of the whole caption if only its beginning is shown, else 0.
    """

    arms: tuple[str, ...]
    text: str
    origin: str
    characters: int


class Neighbour(NamedTuple):
    """A partner of an image in a pair table."""

    row: int
    rank: int
    cosine: float


class Index:
    """The index in a folder that :func:`workflow_scripts.browse.build.index_of` returned.

    Attributes:
        about: the content of ``about.json``.
        scores: ``<arm>/<score>`` of each row of scores.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.about: dict[str, Any] = read_json(folder / ABOUT, f"remove {folder}")
        self.scores = [f"{arm}/{name}" for arm, name in self.about["scores"]]
        arrays = (np.load(folder / name, mmap_mode="r", allow_pickle=False) for name in (SCORES, RANKS, SUBREDDITS))
        self._values, self._ranks, self._subreddits = map(np.asarray, arrays)

    def exists(self) -> bool:
        """Whether the index has not been removed since it was opened."""
        return (self.folder / ABOUT).exists()

    def _database(self) -> closing[sqlite3.Connection]:
        return closing(sqlite3.connect(f"{(self.folder / TABLES).as_uri()}?mode=ro&immutable=1", uri=True))

    # Views -----------------------------------------------------------------------------------------------------------

    def find(self, view: View, count: int = PER_PAGE) -> Found:
        """The view's page, of ``count`` images.

        Raises:
            PipelineError: it names an unknown arm, score or subreddit.
        """
        rows = self._candidates(view)
        values = self.values(view)
        if values is not None:
            rows, values = _within(rows, values, view)
        elif view.order not in ("", "random") or view.lowest is not None or view.highest is not None:
            raise PipelineError("invalid view", "score", "none", "choose a score to filter or order by")
        first, last = (view.page - 1) * count, view.page * count
        if view.order == "random":
            chosen = np.random.default_rng(view.seed).permutation(len(rows))[first:last]
        elif view.order and values is not None:
            chosen = np.argsort(_DISTANCE[view.order](values), kind="stable")[first:last]
        else:
            chosen = np.arange(first, min(last, len(rows)))
        return Found(rows[chosen].tolist(), None if values is None else values[chosen], len(rows))

    def values(self, view: View) -> np.ndarray | None:
        """(n,) float32, NaN where unknown: a score, or the difference of two.

        Scores of different names have different scales: then it is the difference of their ranks, which are shares of
        the images with a lower score, so that it shows where judges disagree.
        """
        if not view.score:
            if view.versus:
                raise PipelineError("invalid view", "score", "none", "choose the score to subtract from")
            return None
        one = _place(self.scores, view.score, "score")
        if not view.versus:
            return self._values[one]
        other = _place(self.scores, view.versus, "versus")
        scores = self._values if self.same_scale(view) else self._ranks
        return np.asarray(scores[one] - scores[other])

    def same_scale(self, view: View) -> bool:
        """Whether the view's two scores have the same name, so that their difference has a meaning."""
        return view.score.partition("/")[2] == view.versus.partition("/")[2]

    def _candidates(self, view: View) -> np.ndarray:
        """(m,) int64 rows that have the view's words and subreddit, ascending."""
        wanted = np.ones(self.about["rows"], bool)
        if view.subreddit:
            wanted &= self._subreddits == _place(self.about["subreddits"], view.subreddit, "subreddit")
        if view.q.strip():
            wanted &= self._matches(view)
        elif view.arm:
            _place(self.about["arms"], view.arm, "arm")
        return np.flatnonzero(wanted)

    def _matches(self, view: View) -> np.ndarray:
        found = np.zeros(self.about["rows"], bool)
        arms = [arm for arm in self.about["arms"] if arm not in self.about["controls"]] or self.about["arms"]
        searched = [_place(self.about["arms"], arm, "arm") for arm in ([view.arm] if view.arm else arms)]
        words = match_expression(view.q)
        with self._database() as database:
            key = database.execute("SELECT row FROM images WHERE key = ?", (view.q.strip(),)).fetchone()
            if key is not None:
                found[key[0]] = True
            for arm in searched if words else ():
                # Joined by SQLite: a Python object per row would take longer than the search.
                query = f"SELECT group_concat(rowid) FROM words_{arm} WHERE words_{arm} MATCH ?"
                (joined,) = database.execute(query, (words,)).fetchone()
                if joined:
                    found[np.fromstring(joined, np.int64, sep=",")] = True
        return found

    # Images ----------------------------------------------------------------------------------------------------------

    def images(self, rows: Sequence[int]) -> list[dict[str, Any]]:
        """``row``, ``key``, ``year``, ``width``, ``height``, ``subreddit``, and where the image is, in this order."""
        found = self._by_row("images", rows)
        names = ("row", "key", "year", "width", "height", "shard", "offset", "size", "sha256")
        subreddits = self.about["subreddits"]
        return [
            {**dict(zip(names, found[row], strict=True)), "subreddit": subreddits[int(self._subreddits[row])]}
            for row in rows
        ]

    def captions(self, rows: Sequence[int]) -> list[list[Caption]]:
        """The captions of each image; arms with the same caption share an entry."""
        by_arm = {name: self._by_row(f"captions_{arm}", rows) for arm, name in enumerate(self.about["arms"])}
        return [_together({name: found[row] for name, found in by_arm.items()}) for row in rows]

    def scores_of(self, row: int) -> dict[str, float]:
        """``<arm>/<score>`` -> value, of the scores that the image has."""
        values = self._values[:, row].tolist()
        return {name: value for name, value in zip(self.scores, values, strict=True) if np.isfinite(value)}

    def neighbours(self, row: int) -> dict[str, list[Neighbour]]:
        """Pair table -> the image's partners, best first."""
        query = "SELECT target, rank, cosine FROM neighbours WHERE pairs = ? AND source = ? ORDER BY rank"
        with self._database() as database:
            return {
                name: [Neighbour(*found) for found in database.execute(query, (place, row))]
                for place, name in enumerate(self.about["pairs"])
            }

    def _by_row(self, table: str, rows: Sequence[int]) -> dict[int, tuple[Any, ...]]:
        query = f"SELECT * FROM {table} WHERE row = ?"
        with self._database() as database:
            found = {row: database.execute(query, (row,)).fetchone() for row in rows}
        if missing := [row for row, columns in found.items() if columns is None]:
            raise PipelineError("unknown row", self.folder, missing[0], f"rows are 0 to {self.about['rows'] - 1}")
        return found


_DISTANCE: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "high": np.negative,
    "low": np.asarray,
    "far": lambda values: -np.abs(values),
    "near": np.abs,
}


def _within(rows: np.ndarray, values: np.ndarray, view: View) -> tuple[np.ndarray, np.ndarray]:
    """Rows whose value is known and within the view's bounds, with it."""
    values = values if len(rows) == len(values) else values[rows]
    kept = np.isfinite(values)
    if view.lowest is not None:
        kept &= values >= view.lowest
    if view.highest is not None:
        kept &= values <= view.highest
    return rows[kept], values[kept]


def _place(names: Sequence[str], name: str, what: str) -> int:
    try:
        return names.index(name)
    except ValueError:
        raise PipelineError("invalid view", what, name, "choose one that the page offers") from None


def _together(by_arm: dict[str, tuple[Any, ...]]) -> list[Caption]:
    """Captions from ``(row, caption, characters, origin)`` of each arm."""
    same: dict[tuple[Any, ...], dict[str, str]] = {}
    for arm, (_, text, characters, origin) in by_arm.items():
        same.setdefault((text, characters), {})[arm] = origin
    return [
        Caption(tuple(origins), text, ", ".join(dict.fromkeys(origins.values())), characters)
        for (text, characters), origins in same.items()
    ]
