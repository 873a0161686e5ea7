"""The rows of a source: kept rows in canonical order, and unused rows separately."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from workflow_scripts.acquisition.annotations.counting import APART, Counts, Filter, batches
from workflow_scripts.acquisition.annotations.formats.coco import coco_samples
from workflow_scripts.acquisition.annotations.formats.columns import Columns
from workflow_scripts.acquisition.annotations.formats.files import SourceFiles
from workflow_scripts.acquisition.annotations.formats.json_rows import row_samples, rows_at
from workflow_scripts.acquisition.annotations.formats.layout import Choose, Layout
from workflow_scripts.acquisition.annotations.formats.sample import Sample
from workflow_scripts.acquisition.annotations.formats.several import of_rows, one_each
from workflow_scripts.acquisition.annotations.formats.sidecars import sidecar_samples
from workflow_scripts.acquisition.annotations.formats.tables import table_samples, without_row
from workflow_scripts.acquisition.annotations.formats.webdataset import webdataset_samples
from workflow_scripts.acquisition.annotations.rows import ROWS, Apart, is_cut, is_listed, read_row, removed
from workflow_scripts.core.files.tables import TableWriter

ROWS_AT_ONCE = 65_536  # written as one row group
SORTED_AT_ONCE = 1 << 20  # rows that are sorted in memory
ORDER = ("subreddit", "year", "image_id")
ADVICE = {
    "": "widen annotations.years or annotations.subreddits",
    Apart.NO_IMAGE: "set annotations.images to the folder, inside the source folder, that the paths start from",
    Apart.BAD_PATH: "give paths inside the source folder",
    Apart.MALFORMED_ROW: "compare its rows with docs/your-own-data.md; captions are texts or lists of texts",
    Apart.NOT_UTF8: "save captions as UTF-8 (iconv -f latin1 -t utf-8)",
    Apart.EMPTY_CAPTION: "put captions into a table, or beside each image in a text file of the same name",
    Apart.BAD_ID: 'ids may contain letters, digits, - and _; annotations.columns.id: "" derives them from paths',
    Apart.NO_URL: "name the column of the images' paths or URLs in annotations.columns",
    Apart.FILTERED_YEAR: "set annotations.years to null; only rows with created_utc have a year",
}


def samples_of(layout: Layout, columns: Columns, files: SourceFiles, choose: Choose | None = None) -> Iterator[Sample]:
    """The samples of a source other than a RedCaps zip: its rows, then one without caption for each other image in it.

    Args:
        choose: which of several captions of an image are used; None: the first, and a text file has one.

    Raises:
        PipelineError: it can't be read, or lacks what its format needs.
    """
    yield from one_each(_samples(layout, columns, files, choose), choose)
    if layout.format != "folder":  # where each image is a row already
        yield from without_row(files)


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
        Counts: see :meth:`workflow_scripts.acquisition.annotations.counting.Counts.summary`.

    Raises:
        PipelineError: the samples can't be read, or no row is kept.
    """
    counts, unsorted = Counts(), work / "unsorted.parquet"
    with TableWriter(unsorted, ROWS) as keep, TableWriter(apart, APART) as other:
        for batch in batches((sample, sample.size) for sample in samples):
            rows, reasons = zip(*(judged(sample, wanted, max_chars) for sample in batch), strict=True)
            cut = [why is None and is_cut(one.raw, max_chars) for one, why in zip(batch, reasons, strict=True)]
            used, unused = counts.add(rows, reasons, cut)
            keep.write(pa.Table.from_pylist(used, schema=ROWS))
            other.write(unused)
    summary = counts.summary(source, ADVICE)
    del counts  # all ids
    sort_rows(unsorted, kept)
    return summary


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
