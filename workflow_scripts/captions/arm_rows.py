"""Rows of an arm: one caption per image, where it is from, and its scores."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from workflow_scripts.core.errors import PipelineError

UNUSED = ("no_key", "not_in_study", "no_caption", "duplicate", "not_chosen")
"""Reasons for which no image gets a caption of the user's file."""
NONE = "none"
"""Origin of images that have no caption in an arm."""
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


def exchange(base: pa.Table, within: str, assign: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> pa.Table:
    """``base`` with captions moved to other images; their scores are then unknown.

    Args:
        within: ``subreddit``: only images of the same subreddit exchange captions; ``all``: any.
        assign: (n,) int64, equal for equal captions; (n,) int64, equal for images that may exchange them -> (n,) int64
            rows: image i gets the caption of image ``result[i]``, or none (origin :data:`NONE`) if that is -1.

    Raises:
        PipelineError: captions are to be moved, but none can.
    """
    captions = _joined(base["caption"])
    texts = _codes(captions)
    groups = _codes(_joined(base["subreddit"])) if within == "subreddit" else np.zeros(len(base), dtype=np.int64)
    given = assign(texts, groups)
    without, kept = given < 0, given == np.arange(len(base))
    if without.any() and (without | kept).all():
        which = "of their subreddit " if within == "subreddit" else ""
        value = f"{without.sum()} images, of which none can get the caption of another {which}that differs from its own"
        advice = "use more images" + (" or within: all" if which else "")
        raise PipelineError("no captions to exchange", "the base arm", value, advice)
    kept, lost, none = pa.array(kept), pa.array(without), pa.scalar(None, pa.float32())
    return arm_table(
        base,
        _in_chunks(pc.fill_null(captions.take(pa.array(given, mask=without)), "")),
        pc.if_else(kept, base["origin"].combine_chunks(), pc.if_else(lost, NONE, "shuffled")),
        pc.if_else(kept, base["itm"].combine_chunks(), none),
        pc.if_else(kept, base["itc"].combine_chunks(), none),
    )


def _joined(texts: pa.ChunkedArray) -> pa.Array:
    """Texts as one array, which may have more than the 2 GiB that the offsets of ``string`` reach."""
    return texts.cast(pa.large_string()).combine_chunks()


def _in_chunks(texts: pa.Array, rows: int = 65_536) -> pa.ChunkedArray:
    """The reverse of :func:`_joined`."""
    parts = [texts.slice(start, rows).cast(pa.string()) for start in range(0, len(texts), rows)]
    return pa.chunked_array(parts, pa.string())


def _codes(texts: pa.Array) -> np.ndarray:
    """(n,) int64, equal for equal texts."""
    codes: np.ndarray = pc.dictionary_encode(texts).indices.to_numpy().astype(np.int64)
    return codes


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


def summed(parts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The :func:`counts` of an arm from those of its parts."""
    found: dict[str, Any] = {"rows": 0, "origin": {}, "empty": 0, "same_text_as_original": 0}
    for part in parts:
        origins = Counter(found["origin"]) + Counter(part["origin"])
        found = {name: part[name] + found[name] for name in found if name != "origin"} | {"origin": origins}
    return found | {"origin": dict(sorted(found["origin"].items()))}


def flat(lists: pa.ChunkedArray) -> pa.Array:
    """All members of a column of lists."""
    return pc.list_flatten(lists.combine_chunks())


def empty(captions: pa.ChunkedArray | pa.Array) -> np.ndarray:
    """(n,) bool: which captions are empty."""
    return np.asarray(pc.equal(captions, "").to_numpy(zero_copy_only=False), dtype=bool)
