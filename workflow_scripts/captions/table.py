"""Captions and scores of the images of a shard in one table, one row per image."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from workflow_scripts.core.errors import PipelineError

TABLE = pa.schema(
    [
        ("key", pa.string()),
        ("subreddit", pa.string()),
        ("year", pa.int16()),
        ("original", pa.string()),
        ("generated", pa.list_(pa.string())),
        ("itm_generated", pa.list_(pa.float32())),
        ("itc_generated", pa.list_(pa.float32())),
        ("itm_original", pa.float32()),
        ("itc_original", pa.float32()),
        ("original_tokens", pa.int16()),
        ("generated_tokens", pa.list_(pa.int16())),
    ]
)
"""Columns of the caption table; one list entry per candidate."""
GENERATED = ("generated", "itm_generated", "itc_generated", "generated_tokens")
OF_ORIGINAL = ("itm_original", "itc_original", "original_tokens")
ADVICE = "the shards and the index belong to different plans; rerun the workflow from the download"


def gather(index: pa.Table, scored: pa.Table | None, originals: pa.Table, where: Path) -> pa.Table:
    """One row per image, in the order of ``index``.

    Args:
        index: key, subreddit, year of n images.
        scored: rows of ``recaption``, the candidates of an image together and in order; None: no captions were
            generated, so lists are empty and scores unknown.
        originals: key, caption of at least the n images.
        where: the artifact, for errors.

    Returns:
        The columns of :data:`TABLE`.

    Raises:
        PipelineError: an image was not scored, was scored twice, or has no original caption.
    """
    columns = {name: index[name] for name in ("key", "subreddit", "year")}
    original = _rows(index["key"], originals["key"], "image without original caption", where)
    columns["original"] = originals["caption"].take(original)
    columns |= _nothing(len(index)) if scored is None else _scored(index["key"], scored, where)
    return pa.table({name: columns[name] for name in TABLE.names})


def _nothing(count: int) -> dict[str, pa.Array]:
    """The columns of captions that were not generated, and of scores that were not computed."""
    fields = [TABLE.field(name) for name in (*GENERATED, *OF_ORIGINAL)]
    return {one.name: pa.array([[] if one.name in GENERATED else None] * count, one.type) for one in fields}


def _scored(keys: pa.ChunkedArray, scored: pa.Table, where: Path) -> dict[str, Any]:
    first = np.flatnonzero(scored["candidate"].to_numpy() == 0)
    heads = scored.take(pa.array(first)).combine_chunks()
    if len(heads) != len(keys):
        raise unscored(where, f"{len(heads)} and {len(keys)}")
    rows = _rows(keys, heads["key"], "image without scores", where)
    bounds = pa.array(np.append(first, len(scored)), pa.int32())
    columns = {name: _lists(scored[name], bounds, rows) for name in GENERATED}
    return columns | {name: heads[name].take(rows) for name in OF_ORIGINAL}


def unscored(where: Path, value: str) -> PipelineError:
    """The error that other images were scored than are in the index."""
    return PipelineError("scored images differ from the index", where, value, ADVICE)


def _lists(values: pa.ChunkedArray, bounds: pa.Array, rows: pa.Array) -> pa.Array:
    flat = pa.concat_arrays(values.chunks) if values.num_chunks else pa.array([], values.type)
    return pa.ListArray.from_arrays(bounds, flat).take(rows)


def _rows(wanted: pa.ChunkedArray, there: pa.ChunkedArray, what: str, where: Path) -> pa.Array:
    found = pc.index_in(wanted, value_set=there)
    if found.null_count:
        key = wanted.filter(pc.is_null(found))[0].as_py()
        raise PipelineError(what, where, f"{found.null_count} images, the first is {key}", ADVICE)
    return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found
