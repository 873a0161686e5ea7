"""The official RedCaps v1.0 zip: ``annotations/<subreddit>_<year>.json``; other files are ignored.

Kept rows are written in canonical order, unused rows separately.
"""

import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pyarrow as pa

from workflow_scripts.acquisition.annotations.counting import APART, Counts, Filter, batches
from workflow_scripts.acquisition.annotations.formats.layout import Choose
from workflow_scripts.acquisition.annotations.formats.sample import Sample
from workflow_scripts.acquisition.annotations.formats.several import one_each
from workflow_scripts.acquisition.annotations.json_reader import NoListError, rows_of
from workflow_scripts.acquisition.annotations.rows import ROWS, Apart, is_cut, is_listed, read_row, removed
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.tables import TableWriter

MEMBER = re.compile(r"annotations/(?P<subreddit>[A-Za-z0-9_]{1,64})_(?P<year>\d{4})\.json")
LARGEST_MEMBER = 2 << 30  # bytes of an annotation file, unpacked
MOST_TIMES, SMALL = 50, 64 << 20  # a zip that unpacks to at most SMALL bytes is accepted at any compression ratio
# Unlike these, LZMA may request gigabytes of memory by a few bytes of its header.
COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)
DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    NotImplementedError,
    RuntimeError,  # an invalid seek; an unsupported feature or a password
)
LAYOUT = "expected annotations/<subreddit>_<year>.json with {info, annotations: [...]}, as in RedCaps v1.0"
ROW_GROUP = 65_536
ADVICE = {"": "widen annotations.years or annotations.subreddits"}


@dataclass(frozen=True, order=True)
class Member:
    """One annotation file of the zip; files are read in sort order."""

    subreddit: str
    year: int
    name: str


def members(path: Path) -> list[Member]:
    """The zip's annotation files, sorted, whatever their order in the zip.

    Raises:
        PipelineError: not a zip, no annotation file in it, an unexpected name, or a repeated name.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = sorted(archive.namelist())
            unpacked = sum(one.file_size for one in archive.infolist() if one.filename.startswith("annotations/"))
    except (OSError, zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise PipelineError("not a zip", path, error, "give the RedCaps annotation zip, or fetch it again") from None
    found = []
    for name in names:
        if not (name.startswith("annotations/") and name.endswith(".json")):
            continue
        match = MEMBER.fullmatch(name)
        if match is None:
            raise PipelineError("unexpected file name", path, name, LAYOUT)
        found.append(Member(match["subreddit"].lower(), int(match["year"]), name))
    if not found:
        raise PipelineError("no annotation files", path, f"{len(names)} members", LAYOUT)
    packed = path.stat().st_size
    if unpacked > max(SMALL, MOST_TIMES * packed):
        value = f"{unpacked} bytes from {packed}, more than {MOST_TIMES} times as many"
        raise PipelineError(
            "zip unpacks to too much data",
            path,
            value,
            "annotation JSON compresses about 7 times; use the official RedCaps zip",
        )
    repeated = [one.name for one, two in pairwise(found) if one.name == two.name]
    if repeated:
        raise PipelineError("repeated file in zip", path, repeated[0], "rebuild the zip with one of them")
    return sorted(found)


def read_member(archive: zipfile.ZipFile, member: Member, max_bytes: int) -> Iterator[tuple[Any, int]]:
    """Yield the raw rows of one annotation file of an open zip, each with its number of characters.

    The file is read in pieces; an error may be found only at its end.

    Raises:
        PipelineError: the file is larger than ``max_bytes`` unpacked, damaged, encrypted, not JSON, or has another
            layout.
    """
    where = f"{archive.filename}!{member.name}"
    try:
        info = archive.getinfo(member.name)
        if info.file_size > max_bytes:
            raise PipelineError("file too large", where, f"{info.file_size} bytes", "use the official RedCaps zip")
        if info.compress_type not in COMPRESSIONS:
            raise PipelineError(
                "unsupported compression", where, f"method {info.compress_type}", "repack it with deflate"
            )
        # zipfile reads up to the size in the directory and then verifies the checksum.
        with archive.open(member.name) as stream:
            yield from rows_of(stream)
    except DAMAGED as error:
        if isinstance(error, RecursionError):
            raise PipelineError("not JSON", where, error, LAYOUT) from None
        raise PipelineError("damaged file", where, error, "fetch the zip again") from None
    except NoListError as error:
        raise PipelineError("no list of annotations", where, error, LAYOUT) from None
    except ValueError as error:
        raise PipelineError("not JSON", where, error, LAYOUT) from None


def gather(
    zip_path: Path,
    wanted: Filter,
    max_bytes: int,
    max_chars: int,
    kept: Path,
    apart: Path,
    choose: Choose | None = None,
) -> dict[str, Any]:
    """Write the kept rows to ``kept`` (sorted by subreddit, year, image_id) and the others to ``apart``.

    Memory holds the rows of one subreddit at a time, besides all image ids. The order of the files in the zip does not
    matter: of a repeated id, the first row by subreddit, file name and position is kept.

    Args:
        max_bytes: maximum unpacked size of a file in the zip.
        max_chars: maximum length of a caption; longer ones are cut.
        choose: which caption of a row with a list of them is used; None: the first.

    Returns:
        Counts: see :meth:`workflow_scripts.acquisition.annotations.counting.Counts.summary`.

    Raises:
        PipelineError: the zip or a file is not RedCaps', a subreddit is unknown, or no row is kept.
    """
    found = members(zip_path)
    _check_subreddits(zip_path, wanted, found)
    counts = Counts()
    with ZipFile(zip_path) as archive, TableWriter(kept, ROWS) as keep, TableWriter(apart, APART) as other:
        for _, files in groupby(found, lambda member: member.subreddit):
            good, bad = [ROWS.empty_table()], [APART.empty_table()]
            for member in files:
                for raw_rows in batches(_one_each(read_member(archive, member, max_bytes), choose)):
                    rows, reasons = _judge(raw_rows, member, wanted, max_chars)
                    cut = [why is None and is_cut(raw, max_chars) for raw, why in zip(raw_rows, reasons, strict=True)]
                    used, unused = counts.add(rows, reasons, cut)
                    good.append(pa.Table.from_pylist(used, schema=ROWS))
                    bad.append(unused)
            _write(keep, pa.concat_tables(good).sort_by([("year", "ascending"), ("image_id", "ascending")]))
            _write(other, pa.concat_tables(bad))
        return counts.summary(zip_path, ADVICE)


def _one_each(rows: Iterator[tuple[Any, int]], choose: Choose | None) -> Iterator[tuple[Any, int]]:
    for raw, size in rows:
        if choose == "each" or (isinstance(raw, dict) and isinstance(raw.get("caption"), list)):
            yield from ((sample.raw, size) for sample in one_each([Sample(raw)], choose))
        else:
            yield raw, size


def _write(writer: TableWriter, table: pa.Table) -> None:
    for start in range(0, len(table), ROW_GROUP):
        writer.write(table.slice(start, ROW_GROUP))


def _check_subreddits(zip_path: Path, wanted: Filter, found: list[Member]) -> None:
    missing = (wanted.subreddits or frozenset()) - {member.subreddit for member in found}
    if missing:
        advice = "correct annotations.subreddits; use the names of the files in the zip"
        raise PipelineError("unknown subreddit", zip_path, ", ".join(sorted(missing)), advice)


def _judge(
    raw_rows: list[Any], member: Member, wanted: Filter, max_chars: int
) -> tuple[list[dict[str, Any]], list[Apart | None]]:
    rows, reasons = [], []
    for raw in raw_rows:
        row, reason = read_row(raw, member.subreddit, member.year, max_chars)
        if wanted.removal and is_listed(row, wanted.removal):
            row, reason = removed(row), Apart.EXCLUDED
        rows.append(row)
        reasons.append(reason or wanted.reason(row))
    return rows, reasons
