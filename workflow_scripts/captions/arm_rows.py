"""Rows of an arm: one caption per image, where it is from, and its scores."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.tables import ROW_GROUP

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


def generated_rows(table: pa.Table) -> pa.Table:
    """``SCHEMA`` rows with each image's best generated caption by ITM."""
    best = best_candidates(table)
    columns = [flat(table[name]).take(best) for name in ("generated", "itm_generated", "itc_generated")]
    return arm_table(table, columns[0], ["generated"] * len(table), columns[1], columns[2])


def best_candidates(table: pa.Table) -> pa.Array:
    """(n,) int64 positions in the flattened candidates: the best ITM per image, ties broken by order.

    An empty caption is chosen only if all candidates are empty.
    """
    owner = pc.list_parent_indices(table["generated"].combine_chunks()).to_numpy()
    scores = flat(table["itm_generated"]).to_numpy()
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
    texts, distinct = _encoded(base["caption"])
    groups = _encoded(base["subreddit"])[0] if within == "subreddit" else np.zeros(len(base), dtype=np.int64)
    given = assign(texts, groups)
    without, kept = given < 0, given == np.arange(len(base))
    if without.any() and (without | kept).all():
        which = "of their subreddit " if within == "subreddit" else ""
        value = f"{without.sum()} images, of which none can get the caption of another {which}that differs from its own"
        advice = "use more images" + (" or within: all" if which else "")
        raise PipelineError("no captions to exchange", "the base arm", value, advice)
    moved, parts = texts[given], []
    for start in range(0, max(1, len(base)), ROW_GROUP):  # so that only the arm itself takes new memory
        part = slice(start, start + ROW_GROUP)
        caption = distinct.take(pa.array(moved[part], mask=without[part]))
        rows, masks = base.slice(start, ROW_GROUP), (pa.array(kept[part]), pa.array(without[part]))
        parts.append(_changed(rows, caption, *masks, "shuffled"))
    return pa.concat_tables(parts)


def cut(base: pa.Table, texts: Sequence[str]) -> pa.Table:
    """``base`` with a part of each caption; the scores of parts that are not the whole are unknown.

    A caption stays as it is if it only has spaces around the part.
    """
    whole = base["caption"].combine_chunks()
    caption = pa.array(texts, pa.string())
    kept = pc.equal(pc.utf8_trim_whitespace(caption), pc.utf8_trim_whitespace(whole))
    caption = pc.if_else(kept, whole.cast(pa.string()), caption)
    return _changed(base, caption, kept, pc.and_not(pc.equal(caption, ""), kept), "cut")


def _changed(rows: pa.Table, caption: pa.Array, kept: pa.Array, lost: pa.Array, how: str) -> pa.Table:
    """``SCHEMA`` rows with these captions; what is not ``kept`` has the origin ``how`` or is ``lost``."""
    origin, itm, itc = (rows[name].combine_chunks() for name in ("origin", "itm", "itc"))
    none = pa.scalar(None, pa.float32())
    return arm_table(
        rows,
        pc.fill_null(caption, "").cast(pa.string()),
        pc.if_else(kept, origin, pc.if_else(lost, NONE, how)),
        pc.if_else(kept, itm, none),
        pc.if_else(kept, itc, none),
    )


def _encoded(texts: pa.ChunkedArray) -> tuple[np.ndarray, pa.Array]:
    """(n,) int64 numbers of texts, equal for equal ones, and the distinct texts by number.

    They may have more than the 2 GiB that the offsets of ``string`` reach.
    """
    chunks = pc.dictionary_encode(texts.cast(pa.large_string())).chunks
    if not chunks:
        return np.empty(0, dtype=np.int64), pa.array([], pa.large_string())
    return np.concatenate([chunk.indices.to_numpy() for chunk in chunks], dtype=np.int64), chunks[-1].dictionary


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
