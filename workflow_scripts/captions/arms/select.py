"""One caption per image: the rules of the arms.

The revised arm follows "Impact of Language Guidance: A Reproducibility Study" (arXiv 2504.08140): a generated caption
takes the place of the original where BLIP-2's image-text matching prefers it. Margin and threshold are ours: matching
was trained together with the captioner and favours its wording, and a margin asks for more than a tie.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from workflow_scripts.captions.arms.derange import derange, mix
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


def original(table: pa.Table) -> pa.Table:
    """``SCHEMA`` rows of a caption table with the captions as they were found."""
    origin = ["original"] * len(table)
    return _arm(table, table["original"], origin, table["itm_original"], table["itc_original"])


def generated(table: pa.Table) -> pa.Table:
    """``SCHEMA`` rows with each image's best generated caption by ITM."""
    best = best_candidates(table)
    columns = [_flat(table[name]).take(best) for name in ("generated", "itm_generated", "itc_generated")]
    return _arm(table, columns[0], ["generated"] * len(table), columns[1], columns[2])


def revised(table: pa.Table, margin: float, threshold: float | None) -> pa.Table:
    """``SCHEMA`` rows with the generated caption where :func:`replaced` says so, else the original."""
    old, new = original(table), generated(table)
    chosen = replaced(table, margin, threshold)
    rows = pa.array(np.where(chosen, len(table), 0) + np.arange(len(table)))
    return pa.concat_tables([old, new]).take(rows).combine_chunks()


def replaced(table: pa.Table, margin: float, threshold: float | None) -> np.ndarray:
    """(n,) bool: whose original gives way to the best generated caption.

    It does when the generated caption is not empty and ITM(generated) > ITM(original) + margin, or ITM(original) <
    threshold, or the original is empty. ITM is the logit difference match - no match.
    """
    new = generated(table)
    old_itm, new_itm = table["itm_original"].to_numpy(), new["itm"].to_numpy()
    better = new_itm > old_itm + np.float32(margin)
    if threshold is not None:
        better |= old_itm < np.float32(threshold)
    better |= _empty(table["original"])
    return better & ~_empty(new["caption"])


def best_candidates(table: pa.Table) -> pa.Array:
    """(n,) int64 positions in the flattened candidates: best ITM per image, the earlier one at a tie.

    An empty caption is taken only where all candidates are empty.
    """
    owner = pc.list_parent_indices(table["generated"].combine_chunks()).to_numpy()
    itm = _flat(table["itm_generated"]).to_numpy()
    order = np.lexsort((np.arange(len(owner)), -itm, _empty(_flat(table["generated"])), owner))
    first = np.flatnonzero(np.append(True, np.diff(owner[order]) > 0))[: len(table)]
    return pa.array(order[first])


def shuffled(base: pa.Table, seed: int) -> pa.Table:
    """``base`` with every image given another image's caption; what the new pairs score is not known.

    Raises:
        PipelineError: fewer than two images.
    """
    return _exchange(base, lambda texts: derange(texts, seed))


def mixed(base: pa.Table, share: float, seed: int) -> pa.Table:
    """``base`` with exactly round(share * n) images as they are and the rest shuffled among themselves.

    Raises:
        PipelineError: the only image would need another one's caption.
    """
    return _exchange(base, lambda texts: mix(texts, share, seed))


def _exchange(base: pa.Table, rule: Callable[[np.ndarray], np.ndarray]) -> pa.Table:
    texts = pc.dictionary_encode(base["caption"].combine_chunks()).indices.to_numpy().astype(np.int64)
    try:
        given = rule(texts)
    except ValueError as error:
        raise PipelineError("too few images to shuffle", "captions", error, "use more images") from None
    moved = given != np.arange(len(base))
    kept = pa.array(~moved)
    none = pa.scalar(None, pa.float32())
    return _arm(
        base,
        base["caption"].take(pa.array(given)),
        pc.if_else(kept, base["origin"].combine_chunks(), "shuffled"),
        pc.if_else(kept, base["itm"].combine_chunks(), none),
        pc.if_else(kept, base["itc"].combine_chunks(), none),
    )


def external(table: pa.Table, given: pa.Table, max_missing_share: float, where: Path) -> pa.Table:
    """``SCHEMA`` rows with the captions of a table of the user's, matched by key; "" where it has none.

    Raises:
        PipelineError: ``given`` names a key twice, or lacks too many of the images.
    """
    counts = pc.value_counts(given["key"])
    twice = counts.filter(pc.greater(counts.field("counts"), 1))
    if len(twice):
        raise PipelineError("repeated key", where, twice[0]["values"].as_py(), "leave one row per image")
    captions = given["caption"].take(pc.index_in(table["key"], value_set=given["key"]))
    missing = captions.null_count
    if missing > max_missing_share * len(table):
        value = f"{missing} of {len(table)} images have none, {max_missing_share:.2%} may"
        raise PipelineError("missing captions", where, value, "complete the table or raise max_missing_share")
    none = pa.nulls(len(table), pa.float32())
    return _arm(table, pc.fill_null(captions, ""), ["external"] * len(table), none, none)


def counts(arm: pa.Table, table: pa.Table) -> dict[str, Any]:
    """What an arm is made of: rows, per origin, empty captions, and rows whose text equals the original's."""
    origins = {row["values"]: row["counts"] for row in pc.value_counts(arm["origin"]).to_pylist()}
    same = pc.sum(pc.equal(arm["caption"], table["original"])).as_py() or 0
    return {
        "rows": len(arm),
        "origin": dict(sorted(origins.items())),
        "empty": int(_empty(arm["caption"]).sum()),
        "same_text_as_original": same,
    }


def _flat(lists: pa.ChunkedArray) -> pa.Array:
    return pc.list_flatten(lists.combine_chunks())


def _empty(captions: pa.ChunkedArray | pa.Array) -> np.ndarray:
    return np.asarray(pc.equal(captions, "").to_numpy(zero_copy_only=False), dtype=bool)


def _arm(images: pa.Table, caption: Any, origin: Any, itm: Any, itc: Any) -> pa.Table:
    image = {name: images[name] for name in ("key", "subreddit", "year")}
    return pa.table({**image, "caption": caption, "origin": origin, "itm": itm, "itc": itc}, schema=SCHEMA)
