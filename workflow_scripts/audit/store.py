"""The store of fetched bytes: lines, bytes and index of each segment, and whether shards were packed from them."""

import stat
from collections.abc import Generator, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from workflow_scripts.acquisition.states import IMPORTED, State
from workflow_scripts.acquisition.store.record import Record
from workflow_scripts.acquisition.store.segment import (
    BYTES,
    HASH,
    INDEX,
    LENGTH,
    LINES,
    OFFSET,
    OPEN,
    Segment,
    is_sealed,
    stems,
    url_hash,
    with_suffix,
    without_lines,
)
from workflow_scripts.audit.kinds import Finding, Kind, finding
from workflow_scripts.audit.records import seconds
from workflow_scripts.core.artifact import MANIFEST
from workflow_scripts.core.cache import file_hash
from workflow_scripts.core.errors.text import redacted
from workflow_scripts.core.files.bounded_json import kind_of
from workflow_scripts.provenance.nodes import Node, inputs_of, read_node

COLUMNS: tuple[np.dtype[Any], ...] = (HASH, OFFSET, LENGTH, OPEN)  # of an index
MARKS = pa.schema({"segment": pa.int64(), "url": pa.uint64(), "mark": pa.uint64(), "time": pa.float64()})
TABLE, ATTEMPTS = ".parquet", ".attempts.parquet"  # of a download


def store_findings(store: Path) -> Iterator[Finding]:
    """Damage of finished segments; one that a job still writes to is left alone."""
    shards = map(read_node, sorted(store.parent.glob(f"[!.]*/download/[!.]*{MANIFEST}")))
    packed = [(_store_of(shard), marks) for shard in shards if (marks := _packed(shard)) is not None]
    for folder in [store, *sorted(path for path in store.glob("[!.]*") if path.is_dir())]:
        for lines in sorted({path.with_suffix(LINES) for path in without_lines(folder)[1]}):
            detail = "missing, so its bytes can't be used; restore it, or delete the segment's other files"
            yield finding(Kind.DAMAGED_STORE, lines, detail)
        written = [stem for stem in stems(folder) if is_sealed(stem) or not with_suffix(stem, BYTES).exists()]
        received = [MARKS.empty_table()]
        for number, stem in enumerate(written):
            received.append(_received(number, (yield from _segment(stem))))
        theirs = [marks for name, marks in packed if name == str(folder.relative_to(store))]
        yield from _exchanged(written, pa.concat_tables(received), pa.concat_tables([MARKS.empty_table(), *theirs]))


def _segment(stem: Path) -> Generator[Finding, None, list[Record]]:
    """Yield what is wrong with a segment by itself; returns its intact records."""
    lines = with_suffix(stem, LINES)
    try:
        if not lines.stat().st_size and not is_sealed(stem):
            return []  # a job is creating it
        for path in (with_suffix(stem, suffix) for suffix in (LINES, BYTES, INDEX)):
            if not stat.S_ISREG(mode := path.lstat().st_mode):
                raise OSError(f"{path.name} is {kind_of(mode)}")
        segment = Segment(stem)
    except OSError as error:
        yield finding(Kind.DAMAGED_STORE, lines, str(error))
        return []
    try:
        found = list(segment.records())
        records = [record for record, _, _ in found]
        lost = sum(1 for record in records if record.size and segment.data(record) is None)
        more = with_suffix(stem, BYTES).stat().st_size - sum(record.size for record in records)
        if sum(length for _, _, length in found) != lines.stat().st_size:
            yield finding(Kind.DAMAGED_STORE, lines, "some lines can't be read; what they name is fetched again")
        elif lost:
            yield finding(Kind.DAMAGED_STORE, lines, f"bytes of {lost} URLs are not the recorded ones")
        elif more:
            yield finding(Kind.DAMAGED_STORE, lines, f"{more} bytes more than its lines name")
        elif not _fits(with_suffix(stem, INDEX), found):
            yield finding(Kind.DAMAGED_STORE, with_suffix(stem, INDEX), "not the index of its lines")
        return records
    except (OSError, ValueError) as error:
        yield finding(Kind.DAMAGED_STORE, lines, str(error))
        return []
    finally:
        segment.close()


def _fits(index: Path, found: Sequence[tuple[Record, int, int]]) -> bool:
    """Whether an index is one that is written for these lines, by a job that came to its end or one that did not."""
    data = index.read_bytes()
    for ended in (True, False):
        entries = sorted((url_hash(r.url), at, length, r.may_pass and not ended) for r, at, length in found)
        columns: list[tuple[int, ...]] = list(zip(*entries, strict=True)) or [()] * 4
        if data == b"".join(np.array(one, kind).tobytes() for one, kind in zip(columns, COLUMNS, strict=True)):
            return True
    return False


def _store_of(shard: Node) -> str:
    """The folder in the store from which a shard was packed; the demo's server has one of its own."""
    worlds = "world" in (shard.record or {}).get("inputs", {})
    for edge in inputs_of(shard) if worlds else ():
        if edge.name == "world" and edge.node is not None and edge.node.hash == edge.recorded_hash:
            return str(edge.node.files.get(".images.zip", {}).get("sha256"))
    return "."


def _packed(shard: Node) -> pa.Table | None:
    """The images of a shard by its tables (see :func:`_marks`); None unless both have their recorded hash."""
    computed = shard.computation or {}
    try:
        for suffix, recorded in ((TABLE, shard.files), (ATTEMPTS, computed["beside"])):
            if file_hash(shard.file(suffix)) != recorded[suffix]["sha256"]:
                return None
        rows = pq.read_table(shard.file(TABLE), columns=["url", "state", "sha256", "width", "height"]).to_pylist()
        tried = pq.read_table(shard.file(ATTEMPTS), columns=["url", "state", "started", "read"]).to_pylist()
        end = seconds(computed["end"])
    except (OSError, KeyError, TypeError, ValueError, pa.ArrowException):
        return None  # named as damaged itself
    found = [(redacted(row["url"]), _mark(row)) for row in rows if row["state"] == State.OK]
    urls = {url for url, _ in found}
    found += [
        (attempt["url"], f"{attempt['started']} {attempt['read']}")
        for attempt in tried
        if attempt["url"] in urls and _got(attempt)
    ]
    return _marks(0, ((url, mark, end) for url, mark in found))


def _received(segment: int, records: Iterable[Record]) -> pa.Table:
    """The images that a segment holds (see :func:`_marks`)."""
    found: list[tuple[str, str, float]] = []
    for record in records:
        if record.size:
            got = (f"{float(attempt.get('started', 0))} {record.size}" for attempt in record.attempts if _got(attempt))
            marks = [_mark(vars(record))] if record.preparation else got
            found += [(redacted(record.url), mark, record.finished) for mark in marks]
    return _marks(segment, found)


def _got(attempt: dict[str, Any]) -> bool:
    return attempt["state"] in (State.OK, IMPORTED)


def _mark(image: dict[str, Any]) -> str:
    return f"{image['sha256']} {image['width']} {image['height']}"


def _marks(segment: int, found: Iterable[tuple[str, str, float]]) -> pa.Table:
    """What tells the images of URLs apart, of a segment or of a shard; a URL may have several rows.

    Args:
        segment: the number of a segment; of a shard, 0.
        found: each URL, without secrets; the sha256 and size in pixels of prepared bytes, or the time and the number of
            bytes of the request that received them; and when it was received, or when the shard was complete.
    """
    rows = [(segment, url_hash(url), url_hash(f"{url} {mark}"), time) for url, mark, time in found]
    columns = zip(*rows, strict=True) if rows else [()] * len(MARKS)
    return pa.table([pa.array(column, kind) for column, kind in zip(columns, MARKS.types, strict=True)], MARKS)


def _exchanged(segments: Sequence[Path], received: pa.Table, packed: pa.Table) -> Iterator[Finding]:
    """Segments in which URLs have other images than those that shards were packed from later on."""
    if not received.num_rows or not packed.num_rows:
        return
    same = received["url"].filter(pc.is_in(received["mark"], packed["mark"]))
    other = received.filter(pc.invert(pc.is_in(received["url"], same)))
    other = other.join(packed.group_by("url").aggregate([("time", "max")]), "url", join_type="inner")
    earlier = other.filter(pc.less_equal(other["time"], other["time_max"]))
    for row in earlier.group_by("segment").aggregate([("url", "count_distinct")]).sort_by("segment").to_pylist():
        said = f"{row['url_count_distinct']} URLs have other images than in the shards packed from them"
        lines = with_suffix(segments[row["segment"]], LINES)
        yield finding(Kind.DAMAGED_STORE, lines, f"{said}; restore it, or delete it")
