"""Rows of an arm: one caption per image, where it is from, and its scores."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from workflow_scripts.core.errors import PipelineError

SCHEMA = pa.schema(
    [
        ("key", pa.string()),
        ("subreddit", pa.string()),
        ("year", pa.int16()),
        ("caption", pa.string()),
        ("origin", pa.string()),
        ("itm", pa.float32()),
        ("itc", pa.float32()),
    ]
)


def arm_table(images: pa.Table, caption: Any, origin: Any, itm: Any, itc: Any) -> pa.Table:
    """``SCHEMA`` rows of the images with these columns."""
    image = {name: images[name] for name in ("key", "subreddit", "year")}
    return pa.table({**image, "caption": caption, "origin": origin, "itm": itm, "itc": itc}, schema=SCHEMA)


def original_rows(table: pa.Table) -> pa.Table:
    """``SCHEMA`` rows of a caption table with their original captions."""
    origin = ["original"] * len(table)
    return arm_table(table, table["original"], origin, table["itm_original"], table["itc_original"])


def generated_rows(table: pa.Table, best_by: str = "itm") -> pa.Table:
    """``SCHEMA`` rows with each image's best generated caption by a score of the matcher (``itm`` or ``itc``)."""
    best = best_candidates(table, best_by)
    columns = [flat(table[name]).take(best) for name in ("generated", "itm_generated", "itc_generated")]
    return arm_table(table, columns[0], ["generated"] * len(table), columns[1], columns[2])


def best_candidates(table: pa.Table, best_by: str) -> pa.Array:
    """(n,) int64 positions in the flattened candidates: the best score per image, ties broken by order.

    An empty caption is chosen only if all candidates are empty.
    """
    owner = pc.list_parent_indices(table["generated"].combine_chunks()).to_numpy()
    scores = flat(table[f"{best_by}_generated"]).to_numpy()
    order = np.lexsort((np.arange(len(owner)), -scores, empty(flat(table["generated"])), owner))
    first = np.flatnonzero(np.append(True, np.diff(owner[order]) > 0))[: len(table)]
    return pa.array(order[first])


def exchange(base: pa.Table, assign: Callable[[np.ndarray], np.ndarray]) -> pa.Table:
    """``base`` with captions moved to other images; their scores are then unknown.

    Args:
        assign: (n,) int64, equal for equal captions -> (n,) rows: image i gets the caption of image ``result[i]``. Its
            ValueError says that there are too few images.

    Raises:
        PipelineError: too few images.
    """
    texts = pc.dictionary_encode(base["caption"].combine_chunks()).indices.to_numpy().astype(np.int64)
    try:
        given = assign(texts)
    except ValueError as error:
        raise PipelineError("too few images to shuffle", "captions", error, "use more images") from None
    moved = given != np.arange(len(base))
    kept = pa.array(~moved)
    none = pa.scalar(None, pa.float32())
    return arm_table(
        base,
        base["caption"].take(pa.array(given)),
        pc.if_else(kept, base["origin"].combine_chunks(), "shuffled"),
        pc.if_else(kept, base["itm"].combine_chunks(), none),
        pc.if_else(kept, base["itc"].combine_chunks(), none),
    )


def counts(arm: pa.Table, table: pa.Table) -> dict[str, Any]:
    """Counts of an arm: rows, by origin, empty captions, and rows whose text equals the original."""
    origins = {row["values"]: row["counts"] for row in pc.value_counts(arm["origin"]).to_pylist()}
    same = pc.sum(pc.equal(arm["caption"], table["original"])).as_py() or 0
    return {
        "rows": len(arm),
        "origin": dict(sorted(origins.items())),
        "empty": int(empty(arm["caption"]).sum()),
        "same_text_as_original": same,
    }


def flat(lists: pa.ChunkedArray) -> pa.Array:
    """All members of a column of lists."""
    return pc.list_flatten(lists.combine_chunks())


def empty(captions: pa.ChunkedArray | pa.Array) -> np.ndarray:
    """(n,) bool: which captions are empty."""
    return np.asarray(pc.equal(captions, "").to_numpy(zero_copy_only=False), dtype=bool)
