"""The list of ids that a study is about, small enough to publish: two groups can compare on what both have."""

import gzip
from pathlib import Path

import pyarrow as pa

AT_ONCE = 65_536


def write_ids(path: Path, ids: pa.ChunkedArray) -> None:
    """Write ids (strings, sorted), one a line, gzipped; equal ids give equal bytes."""
    with open(path, "wb") as stream, gzip.GzipFile("", "wb", compresslevel=9, fileobj=stream, mtime=0) as packed:
        for start in range(0, len(ids), AT_ONCE):
            packed.write("".join(f"{one}\n" for one in ids.slice(start, AT_ONCE).to_pylist()).encode())
