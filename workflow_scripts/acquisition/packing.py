"""A finished shard: the tar in plan order, the table of every row, and the log of attempts."""

import json
import tarfile
from collections.abc import Iterable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa

from workflow_scripts.acquisition.journal import Journal, Record
from workflow_scripts.acquisition.states import State

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
        ("attempt", pa.int32()),
        ("started", pa.float64()),
        ("seconds", pa.float64()),
        ("state", pa.string()),
        ("http_status", pa.int16()),
        ("read", pa.int64()),
    ]
)


def pack(rows: pa.Table, journal: Journal, tar_path: Path) -> pa.Table:
    """Write the images of ``rows`` (plan columns key, url, subreddit, year, caption) to a WebDataset tar.

    Members are ``<key>.<format>`` and ``<key>.json``, in row order, plain USTAR with owner and times 0, so that the
    bytes depend on the rows and the images alone.

    Returns:
        Every row in the columns of :data:`SHARD`; ``offset`` is where the image's bytes begin in the tar.
    """
    table = []
    with tarfile.open(tar_path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for row in _plan_rows(rows):
            record = journal.done[row["url"]]
            row |= {"state": str(record.state), "http_status": record.http_status}
            if record.state is State.OK:
                row |= _add_sample(tar, row, record, journal.data(record))
            table.append(row)
    return pa.Table.from_pylist(table, schema=SHARD)


def _plan_rows(rows: pa.Table) -> Iterator[dict[str, Any]]:
    for batch in rows.select(["key", "url", "subreddit", "year", "caption"]).to_batches(max_chunksize=1024):
        yield from batch.to_pylist()


def _add_sample(tar: tarfile.TarFile, row: dict[str, Any], record: Record, data: bytes) -> dict[str, Any]:
    facts = {"sha256": record.sha256, "width": record.width, "height": record.height}
    offset = tar.offset + tarfile.BLOCKSIZE  # behind the member's own header
    _add(tar, f"{row['key']}.{record.format}", data)
    described = {**{name: row[name] for name in ("key", "url", "subreddit", "year", "caption")}, **facts}
    _add(tar, f"{row['key']}.json", json.dumps(described, sort_keys=True, ensure_ascii=False).encode())
    return {**facts, "bytes": record.size, "offset": offset, "format": record.format}


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(data), 0o644
    tar.addfile(member, BytesIO(data))


def attempts(urls: Iterable[str], journal: Journal) -> pa.Table:
    """Every request that was made for ``urls``, in order of urls and attempts, in the columns of :data:`ATTEMPTS`."""
    rows = [{"url": url, **one} for url in dict.fromkeys(urls) for one in journal.done[url].attempts]
    return pa.Table.from_pylist(rows, schema=ATTEMPTS)
