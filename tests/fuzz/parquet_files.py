"""Parquet as other tools may have written it: right, of wrong types, nested, full of nulls, encrypted, damaged."""

import decimal
import io
import random
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.fuzz.mutate import mutate_bytes

ROWS = 6


def parquet(good: Mapping[str, Sequence[Any]], rng: random.Random) -> bytes:
    """A table with the columns ``good``, some of them exchanged for strange ones, and perhaps damaged."""
    columns: dict[str, Any] = {name: pa.array(values) for name, values in good.items()}
    for _ in range(rng.choice((0, 0, 1, 2))):
        name = rng.choice(list(columns))
        way = rng.randrange(5)
        if way == 0:
            del columns[name]
        elif way == 1:
            columns[rng.choice((name.upper(), "", "a.b", "\n"))] = columns.pop(name)
        else:
            columns[name] = _strange(columns[name], rng)
        if not columns:
            break
    names = list(columns)
    if names and rng.random() < 0.03:
        names[-1] = names[0]  # two columns of one name
    data = _written(pa.Table.from_arrays([columns[name] for name in columns], names=names), rng)
    return mutate_bytes(data, rng, (data,), most=3) if rng.random() < 0.5 else data


def _strange(column: pa.Array, rng: random.Random) -> pa.Array:
    """A column of the same length that is not what a reader expects."""
    size = len(column)
    ways = (
        lambda: pa.nulls(size, column.type),
        lambda: pa.nulls(size),
        lambda: pa.array([None if rng.random() < 0.5 else one for one in column.to_pylist()], column.type),
        lambda: pa.array([b"\xff\xfe\x00"] * size, pa.binary()),
        lambda: pa.array(range(size)),
        lambda: pa.array([float("nan")] * size),
        lambda: pa.array([[1, 2]] * size),
        lambda: pa.array([{"a": 1, "b": None}] * size),
        lambda: pa.array([[("a", 1)]] * size, pa.map_(pa.string(), pa.int64())),
        lambda: pa.array([True] * size),
        lambda: pa.array([decimal.Decimal("1.5")] * size),
        lambda: pa.array([10**18] * size, pa.timestamp("ns", "UTC")),
        lambda: pa.DictionaryArray.from_arrays(pa.array([0] * size, pa.int32()), ["x"]),
        lambda: column.cast(pa.large_string()) if pa.types.is_string(column.type) else column,
        lambda: pa.array(["", "x" * 100_000, "../a", "\x00", "-", "é"][:size] + ["a"] * max(0, size - 6)),
    )
    return rng.choice(ways)()


def _written(table: pa.Table, rng: random.Random) -> bytes:
    target = io.BytesIO()
    kind = rng.random()
    if kind < 0.02:
        return b"PAR1" + rng.randbytes(20) + b"PARE"  # an encrypted footer ends so
    if kind < 0.04:
        return b"PAR1" + bytes(8) + (2**31 - 1).to_bytes(4, "little") + b"PAR1"  # a footer of 2 GB
    pq.write_table(
        table.slice(0, rng.choice((len(table), len(table), len(table), 0))),
        target,
        compression=rng.choice(("zstd", "snappy", "gzip", "none", "brotli", "lz4")),
        row_group_size=rng.choice((2, 100)),
        use_dictionary=rng.random() < 0.5,
        version=rng.choice(("1.0", "2.6")),
        data_page_version=rng.choice(("1.0", "2.0")),
    )
    return target.getvalue()
