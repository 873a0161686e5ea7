"""Which annotation rows are used, and their counts; the same for every format."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa

from workflow_scripts.acquisition.annotations.rows import ROWS, Apart
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.models.text_norms import is_blank

APART = ROWS.append(pa.field("reason", pa.string()))
ROWS_AT_ONCE, CHARACTERS_AT_ONCE = 16_384, 8 << 20  # read and checked together
T = TypeVar("T")
Row = dict[str, Any]


class Filter:
    """The years and subreddits of a study (None keeps all), and the tokens of its removal list."""

    def __init__(
        self,
        years: Collection[int] | None,
        subreddits: Collection[str] | None,
        removal: Collection[str] = (),
    ) -> None:
        self.years = None if years is None else frozenset(years)
        self.subreddits = None if subreddits is None else frozenset(name.lower() for name in subreddits)
        self.removal = frozenset(removal)

    def reason(self, row: Row) -> Apart | None:
        """Why a well-formed row is not used, as far as the row alone can tell."""
        if self.subreddits is not None and row["subreddit"] not in self.subreddits:
            return Apart.FILTERED_SUBREDDIT
        if self.years is not None and row["year"] not in self.years:
            return Apart.FILTERED_YEAR
        if is_blank(row["caption"]):
            return Apart.EMPTY_CAPTION
        return None


class Counts:
    """Counts for the annotations' ``.json``: all rows, unused rows by reason, years and subreddits of kept ones."""

    def __init__(self) -> None:
        self._seen, self._truncated, self.rows, self.kept = set[str](), 0, 0, 0
        names = ("apart", "years", "subreddits")
        self._counts: dict[str, Counter[str]] = {name: Counter() for name in names}

    def add(
        self, rows: Sequence[Row], reasons: Iterable[Apart | None], cut: Iterable[bool]
    ) -> tuple[list[Row], pa.Table]:
        """Count rows, given the reason why each is not used, if any, and whether its caption was cut.

        Returns:
            The kept rows, and a table of the others with their reasons.
        """
        found = list(reasons)
        for place, row in enumerate(rows):
            if found[place] is None and row["image_id"] in self._seen:
                found[place] = Apart.REPEATED_ID
            elif found[place] is None:
                self._seen.add(row["image_id"])
        used = [row for row, why in zip(rows, found, strict=True) if why is None]
        self._truncated += sum(one for one, why in zip(cut, found, strict=True) if why is None)
        self.rows, self.kept = self.rows + len(rows), self.kept + len(used)
        self._counts["apart"].update(str(reason) for reason in found if reason)
        self._counts["years"].update(str(row["year"]) for row in used)
        self._counts["subreddits"].update(row["subreddit"] for row in used)
        unused = [{**row, "reason": str(why)} for row, why in zip(rows, found, strict=True) if why is not None]
        return used, pa.Table.from_pylist(unused, schema=APART)

    def summary(self, source: Path, advice: dict[str, str]) -> dict[str, Any]:
        """The counts.

        ``rows``, ``kept``, ``apart`` by reason, and of the kept rows ``years`` and ``subreddits``; ``truncated``, the
        kept rows whose caption was cut, where there are any.

        Raises:
            PipelineError: no row is kept; the advice is ``advice`` of the most frequent reason, or of ``""``.
        """
        apart = self._counts["apart"]
        if self.kept == 0:
            frequent = apart.most_common(1)[0][0] if apart else ""
            value = f"0 of {self.rows} rows ({dict(apart)})"
            raise PipelineError("no rows left", source, value, advice.get(frequent, advice[""]))
        named = {name: dict(sorted(count.items())) for name, count in self._counts.items()}
        truncated = {"truncated": self._truncated} if self._truncated else {}
        return {"rows": self.rows, "kept": self.kept, **named, **truncated}


def batches(
    items: Iterable[tuple[T, int]], rows: int = ROWS_AT_ONCE, most: int = CHARACTERS_AT_ONCE
) -> Iterator[list[T]]:
    """Lists of a given number of items, or of fewer if their total size would exceed ``most``."""
    batch: list[T] = []
    size = 0
    for item, characters in items:
        batch.append(item)
        size += characters
        if len(batch) == rows or size > most:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
