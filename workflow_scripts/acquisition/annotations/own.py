"""The rows of a source: kept rows in canonical order, and unused rows separately."""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from workflow_scripts.acquisition.annotations.formats.coco import coco_samples, row_samples, rows_at
from workflow_scripts.acquisition.annotations.formats.columns import Columns
from workflow_scripts.acquisition.annotations.formats.files import SourceFiles
from workflow_scripts.acquisition.annotations.formats.layout import Choose, Layout
from workflow_scripts.acquisition.annotations.formats.sample import Sample, image_sample, of_rows, one_each
from workflow_scripts.acquisition.annotations.formats.sidecars import sidecar_samples
from workflow_scripts.acquisition.annotations.formats.tables import table_samples
from workflow_scripts.acquisition.annotations.formats.webdataset import webdataset_samples
from workflow_scripts.acquisition.annotations.rows import ROWS, Apart, Filter, is_cut, is_listed, read_row, removed
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.tables import TableWriter

APART = ROWS.append(pa.field("reason", pa.string()))
ROWS_AT_ONCE = 65_536  # written as one row group
SAMPLES_AT_ONCE, CHARACTERS_AT_ONCE = 16_384, 8 << 20  # read and checked together
SORTED_AT_ONCE = 1 << 20  # rows that are sorted in memory
ORDER = ("subreddit", "year", "image_id")
ADVICE = {
    "": "widen annotations.years or annotations.subreddits",
    Apart.NO_IMAGE: "set annotations.images to the folder, inside the source folder, that the paths start from",
    Apart.NO_ROW: "give paths of images as they are in the source folder, or below annotations.images",
    Apart.BAD_PATH: "give paths inside the source folder",
    Apart.MALFORMED_ROW: "compare its rows with docs/your-own-data.md; captions are texts or lists of texts",
    Apart.NOT_UTF8: "save captions as UTF-8 (iconv -f latin1 -t utf-8)",
    Apart.EMPTY_CAPTION: "put captions into a table, or beside each image in a text file of the same name",
    Apart.BAD_ID: 'ids may contain letters, digits, - and _; annotations.columns.id: "" derives them from paths',
    Apart.NO_URL: "name the column of the images' paths or URLs in annotations.columns",
    Apart.FILTERED_YEAR: "set annotations.years to null; only rows with created_utc have a year",
}


def samples_of(layout: Layout, columns: Columns, files: SourceFiles, choose: Choose | None = None) -> Iterator[Sample]:
    """The samples of a source other than a RedCaps zip: its rows, then one for each other image in it.

    Args:
        choose: which of several captions of an image are used; None: the first, and a text file has one.

    Raises:
        PipelineError: it can't be read, or lacks what its format needs.
    """
    yield from one_each(_samples(layout, columns, files, choose), choose)
    if layout.format != "folder":  # where each image is a row already
        yield from (image_sample(name, None, files, Apart.NO_ROW) for name in files.unused_images())


def _samples(layout: Layout, columns: Columns, files: SourceFiles, choose: Choose | None) -> Iterator[Sample]:
    path, lines = layout.table, choose is not None
    if layout.format == "webdataset":
        return webdataset_samples(layout.tars, columns, files, lines)
    if path is None:
        return sidecar_samples(files, lines)
    if layout.format == "table":
        return of_rows(lambda: table_samples(path, columns, files), choose)
    prefix = rows_at(path, columns)
    if prefix is None:
        return coco_samples(path, columns, files, choose)
    return of_rows(lambda: row_samples(path, prefix, columns, files), choose)


def gather(
    source: Path, samples: Iterable[Sample], wanted: Filter, max_chars: int, kept: Path, apart: Path, work: Path
) -> dict[str, Any]:
    """Write the kept rows to ``kept`` (sorted by subreddit, year, image_id) and the others to ``apart``, as read.

    Of a repeated id the first row stays. Memory holds a million rows at most, besides ids and sort keys.

    Args:
        source: for messages.
        max_chars: maximum length of a caption; longer ones are cut.
        work: a folder for the rows in the order in which they were read.

    Returns:
        See :meth:`Counts.summary`.

    Raises:
        PipelineError: the samples can't be read, or no row is kept.
    """
    counts, unsorted = Counts(), work / "unsorted.parquet"
    with TableWriter(unsorted, ROWS) as keep, TableWriter(apart, APART) as other:
        for batch in _batches(samples):
            used, unused = [], []
            for sample in batch:
                row, reason = judged(sample, wanted, max_chars)
                if reason := counts.add(row, reason):
                    unused.append(row | {"reason": str(reason)})
                else:
                    used.append(row)
                    counts.truncated += is_cut(sample.raw, max_chars)
            keep.write(pa.Table.from_pylist(used, schema=ROWS))
            other.write(pa.Table.from_pylist(unused, schema=APART))
    summary = counts.summary(source)
    del counts  # all ids
    sort_rows(unsorted, kept)
    return summary


class Counts:
    """Counts of rows; by reason of unused ones and images without one; of years, subreddits and cuts of used ones."""

    def __init__(self) -> None:
        self._seen, self._rows, self.truncated = set[str](), 0, 0
        self._apart, self._years, self._subreddits = Counter[str](), Counter[str](), Counter[str]()

    def add(self, row: dict[str, Any], reason: Apart | None) -> Apart | None:
        """Count a row; returns why it is not used: ``reason``, or since its id is repeated."""
        self._rows += reason is not Apart.NO_ROW
        if reason is None and row["image_id"] in self._seen:
            reason = Apart.REPEATED_ID
        if reason is not None:
            self._apart[str(reason)] += 1
            return reason
        self._seen.add(row["image_id"])
        self._years[str(row["year"])] += 1
        self._subreddits[row["subreddit"]] += 1
        return None

    def summary(self, source: Path) -> dict[str, Any]:
        """``rows``, ``kept``, ``apart`` by reason, and ``years``, ``subreddits`` and ``truncated`` of kept rows.

        Raises:
            PipelineError: no row is kept; the advice is that of the most frequent reason.
        """
        if not self._seen:
            frequent = self._apart.most_common(1)[0][0] if self._apart else ""
            value = f"0 of {self._rows} rows ({dict(self._apart)})"
            raise PipelineError("no rows left", source, value, ADVICE.get(frequent, ADVICE[""]))
        counts = {"apart": self._apart, "years": self._years, "subreddits": self._subreddits}
        named = {name: dict(sorted(count.items())) for name, count in counts.items()}
        truncated = {"truncated": self.truncated} if self.truncated else {}
        return {"rows": self._rows, "kept": len(self._seen), **named, **truncated}


def _batches(samples: Iterable[Sample]) -> Iterator[list[Sample]]:
    """Lists of samples of limited number and size."""
    batch: list[Sample] = []
    size = 0
    for sample in samples:
        batch.append(sample)
        size += sample.size
        if len(batch) == SAMPLES_AT_ONCE or size > CHARACTERS_AT_ONCE:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def judged(sample: Sample, wanted: Filter, max_chars: int) -> tuple[dict[str, Any], Apart | None]:
    """The row of a sample, and the reason why it is not used, if any; repeated ids are checked elsewhere."""
    url = None if sample.image is None else sample.image.url
    row, reason = read_row(sample.raw, sample.group, sample.year, max_chars, url)
    if wanted.removal and is_listed(row, wanted.removal, sample.given_url):
        return removed(row, sample.given_url), Apart.EXCLUDED
    return row, sample.unfit or reason or wanted.reason(row)


def sort_rows(unsorted: Path, out: Path, at_once: int = SORTED_AT_ONCE) -> None:
    """Write the rows of one file to another, in the order of :data:`ORDER`; ``at_once`` of them are in memory.

    The sort keys of all rows determine the rows of each part of the result; each part is then read from the file.
    """
    keys = pq.read_table(unsorted, columns=list(ORDER))
    order = pc.sort_indices(keys, [(name, "ascending") for name in ORDER]).to_numpy()
    part = np.empty(len(order), dtype=np.int32)
    part[order] = np.arange(len(order)) // at_once
    del keys, order
    with TableWriter(out, ROWS) as writer:
        for number in range(int(part.max(initial=-1)) + 1):
            table = _picked(unsorted, part == number).sort_by([(name, "ascending") for name in ORDER])
            for start in range(0, len(table), ROWS_AT_ONCE):
                writer.write(table.slice(start, ROWS_AT_ONCE))


def _picked(path: Path, wanted: np.ndarray) -> pa.Table:
    found, at = [], 0
    for batch in pq.ParquetFile(path).iter_batches(batch_size=ROWS_AT_ONCE):
        found.append(batch.filter(pa.array(wanted[at : at + len(batch)])))
        at += len(batch)
    return pa.Table.from_batches(found, ROWS)
