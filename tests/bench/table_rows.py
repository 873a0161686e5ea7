"""Made-up annotation rows with real titles, and artifacts of tables, for benchmarks of stages that read them."""

import json
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tests.helpers import make_artifact

SUBREDDITS, YEARS, PER_SHARD = 350, 13, 10_000
HOSTS = ["i.redd.it", "i.imgur.com", "preview.redd.it", "live.staticflickr.com"]


def titles(data: Path) -> pa.Array:
    """Captions of RedCaps' annotations, all those of the zips in a folder."""
    found: list[str] = []
    for path in sorted(data.rglob("*.zip")):
        with zipfile.ZipFile(path) as archive:
            for name in sorted(archive.namelist()):
                if name.endswith(".json"):
                    rows = json.loads(archive.read(name))["annotations"]
                    found += [row["caption"] for row in rows if isinstance(row, dict) and row.get("caption")]
    if not found:
        raise SystemExit(f"no zip with annotations in {data}; give --data a folder that has one")
    return pa.array(found)


class Rows:
    """Made-up annotation rows, in the order of the annotations.

    Args:
        count: number of rows.
        texts: captions to draw from.
    """

    def __init__(self, count: int, texts: pa.Array) -> None:
        self.count, self._texts = count, texts
        weights = np.outer((np.arange(SUBREDDITS) + 12) ** -0.8, 1.35 ** np.arange(YEARS)).ravel()
        self.edges = np.round(np.append(0, np.cumsum(weights)) / weights.sum() * count).astype(np.int64)

    def table(self, start: int, stop: int) -> pa.Table:
        """Rows of the annotations from ``start`` to ``stop``."""
        rng, size = np.random.default_rng([self.count, start]), stop - start
        ids = keys(start, stop)
        group = np.searchsorted(self.edges, np.arange(start, stop), side="right") - 1
        caption = self._texts.take(pa.array(rng.integers(0, len(self._texts), size)))
        host = pa.array(HOSTS).take(pa.array(rng.choice(len(HOSTS), size, p=[0.7, 0.2, 0.07, 0.03])))
        names = pa.array([f"sub{number:03d}" for number in range(SUBREDDITS)])
        return pa.table(
            {
                "image_id": ids,
                "subreddit": names.take(pa.array(group // YEARS)),
                "year": pa.array(2008 + group % YEARS, pa.int16()),
                "url": pc.binary_join_element_wise("https://", host, "/", ids, ".jpg", ""),
                "caption": caption,
                "raw_caption": caption,
                "created_utc": pa.array(np.full(size, 1_500_000_000)),
                "permalink": pc.binary_join_element_wise("/r/x/comments/", ids, "/", ""),
            }
        )

    def shards(self) -> Iterator[tuple[int, pa.Table]]:
        """Number and rows of shards; six of ten rows have an image."""
        for number, start in enumerate(range(0, self.count, PER_SHARD)):
            yield number, self.table(start, min(start + PER_SHARD, self.count))


def keys(start: int, stop: int) -> pa.Array:
    """Ids in ascending order."""
    return pc.binary_join_element_wise(
        "k", pc.utf8_lpad(pa.array(np.arange(start, stop)).cast(pa.string()), 9, "0"), ""
    )


def stored(
    results: Path, stage: str, name: str, tables: dict[str, pa.Table], more: dict[str, bytes] | None = None
) -> Path:
    """An artifact of tables, by suffix; gives its manifest."""
    files: dict[str, bytes | Path] = dict(more or {})
    with tempfile.TemporaryDirectory(dir=results) as at:
        for suffix, table in tables.items():
            pq.write_table(table, Path(at, "t"), compression="lz4")
            files[suffix] = Path(at, "t").read_bytes()
    return make_artifact(results, stage, name, files)
