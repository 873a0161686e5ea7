"""Records of what was made from a study's images for use elsewhere, so that ``remove`` can name it.

A file that shows images or captions has the record ``results/<study>/copies/<digest>.csv`` with the columns ``copy``,
its path when it was written, and ``key``, an image that it shows. An exported network may have learned from millions:
its record is ``<digest>.parquet`` with the column ``key``; its path and the sha256 of its weights are in the metadata.
"""

import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from workflow_scripts.core.files.durable import make_folders, write_durable
from workflow_scripts.core.files.jsonio import digest
from workflow_scripts.core.files.names import COPIES

COLUMNS = ("copy", "key")
NETWORKS = ".parquet"


def record_copy(study: Path, copy: Path, keys: Iterable[str]) -> None:
    """Record that ``copy`` shows the images of ``keys``; call it before the file is written, so that none is missed."""
    rows = [(ascii(str(copy.absolute()))[1:-1], key) for key in sorted(set(keys))]
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([COLUMNS, *rows])
    make_folders(study / COPIES)
    write_durable(study / COPIES / f"{digest(rows)[:16]}.csv", out.getvalue().encode())


class NetworkRecord(NamedTuple):
    """An exported network.

    Attributes:
        folder: where it was written.
        weights: sha256 of its file of weights.
        keys: of the images that it learned from.
    """

    folder: Path
    weights: str
    keys: list[str]


def record_network(study: Path, network: NetworkRecord) -> None:
    """Record an exported network; call it before the folder is there.

    The record of an earlier export to the folder stays: copies of that network may be in use.
    """
    told = {"folder": str(network.folder.absolute()), "weights": network.weights}
    table = pa.table({COLUMNS[1]: pa.array(network.keys, pa.string())}).replace_schema_metadata(told)
    out = io.BytesIO()
    pq.write_table(table, out, compression="zstd")
    make_folders(study / COPIES)
    write_durable(study / COPIES / f"{digest([told, network.keys])[:16]}{NETWORKS}", out.getvalue())


def is_intact(path: Path) -> bool:
    """Whether a record's content gives its name.

    Raises:
        OSError: it can't be read.
    """
    try:
        if path.suffix == NETWORKS:
            folder, weights, keys = read_network(path)
            return path.stem == digest([{"folder": str(folder), "weights": weights}, keys])[:16]
        with open(path, encoding="utf-8", newline="") as stream:
            header, *rows = csv.reader(stream, strict=True)
        return tuple(header) == COLUMNS and path.stem == digest(rows)[:16]
    except (ValueError, csv.Error):  # pyarrow's errors are ValueErrors too
        return False


def read_network(path: Path) -> NetworkRecord:
    """A record of :func:`record_network`.

    Raises:
        OSError: it can't be read.
        ValueError: it is damaged.
    """
    table = pq.read_table(path)
    told = {name.decode(): value.decode() for name, value in (table.schema.metadata or {}).items()}
    if not {"folder", "weights"} <= told.keys() or table.column_names != [COLUMNS[1]]:
        raise ValueError("not a record of a network")
    return NetworkRecord(Path(told["folder"]), told["weights"], table[COLUMNS[1]].to_pylist())
