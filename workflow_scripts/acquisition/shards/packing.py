"""A finished shard: the tar in plan order, the table of every row, and the log of attempts."""

import json
import tarfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from workflow_scripts.acquisition.shards.download_state import DownloadState
from workflow_scripts.acquisition.states import IMPORTED, State
from workflow_scripts.acquisition.store.record import Record
from workflow_scripts.core.errors.text import redacted
from workflow_scripts.core.files.tables import TableWriter

ROWS_AT_ONCE = 4096  # rows in memory, and per row group

SHARD = pa.schema(
    [
        ("key", pa.string()),
        ("url", pa.string()),
        ("subreddit", pa.string()),
        ("year", pa.int16()),
        ("caption", pa.string()),
        ("state", pa.string()),
        ("http_status", pa.int16()),
        ("sha256", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("bytes", pa.int64()),
        ("offset", pa.int64()),
        ("format", pa.string()),
    ]
)
ATTEMPTS = pa.schema(
    [
        ("url", pa.string()),
        ("round", pa.int16()),
        ("attempt", pa.int32()),
        ("started", pa.float64()),
        ("seconds", pa.float64()),
        ("state", pa.string()),
        ("http_status", pa.int16()),
        ("read", pa.int64()),
    ]
)


def pack(rows: pa.Table, downloads: DownloadState, tar_path: Path, table_path: Path) -> Counter[str]:
    """Write the images of ``rows`` (plan columns key, url, subreddit, year, caption) to a WebDataset tar.

    Members are ``<key>.<format>`` and ``<key>.json``, in row order, plain USTAR with owner and times 0, so that the
    bytes depend on the rows and the images alone. Every row goes to the table at ``table_path``, in the columns of
    :data:`SHARD`; ``offset`` is the position of the image's bytes in the tar. One image is in memory at a time.

    Returns:
        Rows by final state.
    """
    states: Counter[str] = Counter()
    with tarfile.open(tar_path, "w", format=tarfile.USTAR_FORMAT) as tar, TableWriter(table_path, SHARD) as table:
        for batch in rows.select(["key", "url", "subreddit", "year", "caption"]).to_batches(max_chunksize=ROWS_AT_ONCE):
            packed = [_packed(tar, row, downloads) for row in batch.to_pylist()]
            states.update(row["state"] for row in packed)
            table.write(pa.Table.from_pylist(packed, schema=SHARD))
    return states


def _packed(tar: tarfile.TarFile, row: dict[str, Any], downloads: DownloadState) -> dict[str, Any]:
    record = downloads.done[row["url"]]
    row |= {"state": str(record.state), "http_status": record.http_status}
    return row | (_add_sample(tar, row, record, downloads.data(record)) if record.state is State.OK else {})


def _add_sample(tar: tarfile.TarFile, row: dict[str, Any], record: Record, data: bytes) -> dict[str, Any]:
    facts = {"sha256": record.sha256, "width": record.width, "height": record.height}
    offset = tar.offset + tarfile.BLOCKSIZE  # after the member's header
    _add(tar, f"{row['key']}.{record.format}", data)
    described = {**{name: row[name] for name in ("key", "url", "subreddit", "year", "caption")}, **facts}
    _add(tar, f"{row['key']}.json", json.dumps(described, sort_keys=True, ensure_ascii=False).encode())
    return {**facts, "bytes": record.size, "offset": offset, "format": record.format}


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(data), 0o644
    tar.addfile(member, BytesIO(data))


def attempts(urls: Iterable[str], downloads: DownloadState, path: Path) -> Mapping[str, int]:
    """Write all requests ever made for ``urls`` to a table with the columns of :data:`ATTEMPTS`, in order.

    The table is a log, so its URLs are redacted; those of :data:`SHARD` are complete.

    Returns:
        ``requests``, ``imported`` (images that were imported instead) and ``bytes_read``.
    """
    counts: Counter[str] = Counter(requests=0, imported=0, bytes_read=0)
    with TableWriter(path, ATTEMPTS) as table:
        for tried in _groups(
            {"url": redacted(url), **one} for url in dict.fromkeys(urls) for one in downloads.done[url].attempts
        ):
            table.write(pa.Table.from_pylist(tried, schema=ATTEMPTS))
            imported = sum(one["state"] == IMPORTED for one in tried)
            counts.update(requests=len(tried) - imported, imported=imported, bytes_read=sum(t["read"] for t in tried))
    return counts


def _groups(rows: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    rows = iter(rows)
    while group := list(islice(rows, ROWS_AT_ONCE)):
        yield group
