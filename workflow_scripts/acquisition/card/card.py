"""The data card: the final state of every row of the annotation zip."""

import gzip
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from workflow_scripts.acquisition.annotations.rows import host_of
from workflow_scripts.acquisition.states import State
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.stats.intervals import LEVEL, wilson

COLUMNS = ["key", "url", "subreddit", "year", "state", "http_status"]
ROT = pa.schema(
    [
        ("host", pa.string()),
        ("year", pa.int16()),
        ("urls", pa.int64()),
        ("images", pa.int64()),
        ("share", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
    ]
)


class Row(NamedTuple):
    """What is counted of a row."""

    host: str
    subreddit: str
    year: int
    state: str
    http_status: int | None


@dataclass
class Tally:
    """Rows of download shards, counted.

    Attributes:
        rows: number of rows by host, subreddit, year, state and HTTP code.
        kept: ids of the rows with an image, a piece for each shard.
    """

    rows: Counter[Row] = field(default_factory=Counter)
    kept: list[pa.ChunkedArray] = field(default_factory=list)

    def by(self, *names: str) -> dict[Any, Counter[str]]:
        """Rows by state, of each value of a field of the row, or of several."""
        found: defaultdict[Any, Counter[str]] = defaultdict(Counter)
        for row, count in self.rows.items():
            found[attrgetter(*names)(row)][row.state] += count
        return found

    def kept_ids(self) -> pa.ChunkedArray:
        """Ids of all rows with an image, sorted."""
        ids = pa.chunked_array([chunk for piece in self.kept for chunk in piece.chunks], pa.string())
        return ids.take(pc.sort_indices(ids))


def count_shards(tables: Iterable[Path]) -> Tally:
    """Count the rows of download shards, one shard at a time."""
    tally = Tally()
    for path in tables:
        table = pq.read_table(path, columns=COLUMNS)
        tally.kept.append(table["key"].filter(pc.equal(table["state"], str(State.OK))))
        urls, *columns = (table[name].to_pylist() for name in ("url", *Row._fields[1:]))
        tally.rows.update(map(Row, (host_of(url) or "" for url in urls), *columns))
    return tally


def card(annotations: Mapping[str, Any], tally: Tally) -> dict[str, Any]:
    """The data card's content from the annotations' counts and those of the shards.

    Returns:
        ``rows`` of the source; ``states`` (one number per final state, the annotations' reasons among them; they sum to
        ``rows`` and the images without one); ``truncated``, the kept rows whose caption was cut, where there are any;
        ``http_status`` by state;
        ``kept``: the share of requested URLs that returned an image, with its interval; ``host``, ``subreddit``,
            ``year``:
        the same share, and states, of each.

    Raises:
        PipelineError: the shards do not contain exactly the kept annotation rows.
    """
    states: Counter[str] = Counter()
    codes: dict[str, Counter[str]] = {}
    for row, count in tally.rows.items():
        states[row.state] += count
        if row.state != State.OK and row.http_status is not None:
            codes.setdefault(row.state, Counter())[str(row.http_status)] += count
    if states.total() != annotations["kept"]:
        value = f"{states.total()} rows in shards, {annotations['kept']} kept annotation rows"
        raise PipelineError("rows unaccounted for", "data_card", value, "give exactly the shards of one plan")
    everything = Counter(annotations["apart"]) + states
    return {
        "rows": annotations["rows"],
        "states": dict(sorted(everything.items())),
        **({"truncated": annotations["truncated"]} if "truncated" in annotations else {}),
        "http_status": {state: dict(sorted(count.items())) for state, count in sorted(codes.items())},
        "kept": _share(states) | {"confidence": LEVEL},
        "host": _shares(tally.by("host")),
        "subreddit": _shares(tally.by("subreddit")),
        "year": _shares(tally.by("year")),
    }


def link_rot(tally: Tally) -> pa.Table:
    """Share of requested URLs that returned an image, by host and year of the post, with interval: see :data:`ROT`."""
    groups = sorted(tally.by("host", "year").items())
    rows = [{"host": host, "year": year, **_share(states)} for (host, year), states in groups]
    return pa.Table.from_pylist(rows, schema=ROT)


def _shares(groups: Mapping[Any, Counter[str]]) -> dict[str, Any]:
    return {
        str(name): _share(states) | {"confidence": LEVEL, "states": dict(sorted(states.items()))}
        for name, states in sorted(groups.items())
    }


def _share(states: Counter[str]) -> dict[str, Any]:
    kept, total = states[State.OK], states.total()
    low, high = wilson(kept / total, total)[1:] if total else (0.0, 1.0)
    return {"urls": total, "images": kept, "share": kept / total if total else None, "low": low, "high": high}


AT_ONCE = 65_536


def write_ids(path: Path, ids: pa.ChunkedArray) -> None:
    """Write ids (strings, sorted), one per line, gzipped; equal ids give equal bytes."""
    with open(path, "wb") as stream, gzip.GzipFile("", "wb", compresslevel=9, fileobj=stream, mtime=0) as packed:
        for start in range(0, len(ids), AT_ONCE):
            packed.write("".join(f"{one}\n" for one in ids.slice(start, AT_ONCE).to_pylist()).encode())
