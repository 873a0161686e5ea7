"""The summary of an arm's captions."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from workflow_scripts.stats.clustered import linearised_ratio
from workflow_scripts.stats.intervals import Interval, figure, mean_figure, share_figure, student_t, wilson

SHARES = ("empty", "repeated", "near_duplicate", "short", "truncated", "vague", "first_person", "hashtag", "url")
MEANS = ("specificity", "details_kept", "above_random", "above_subreddit")
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
LANGUAGES = 10


def summarise(table: pa.Table) -> dict[str, Any]:
    """Figures of n captions; all but the shares of empty ones and of origins are of those that are not empty.

    Args:
        table: the columns of ``columns.caption_columns``, and origin, itm, retrieval_rank and others of MEANS (null
            where not sampled).
    """
    flags = {name: pc.drop_null(table[name]).to_numpy() for name in SHARES if name != "repeated"}
    flags["repeated"] = table["repeats"].to_numpy()[~flags["empty"]] > 1
    origins = {row["values"]: row["counts"] for row in pc.value_counts(table["origin"]).to_pylist()}
    scored = table["itm"].null_count < len(table)
    return {
        "captions": len(table),
        "shares": {name: share(flags[name]) for name in SHARES},
        "origin": {name: share_figure(count, len(table)) for name, count in sorted(origins.items())},
        **{name: distribution(pc.drop_null(table[name]).to_numpy()) for name in ("words", "characters")},
        **{name: mean_figure(pc.drop_null(table[name]).to_numpy()) for name in MEANS},
        "absent_objects": ratio(
            *(pc.drop_null(table[name]).to_numpy() for name in ("absent_objects", "named_objects"))
        ),
        "with_absent_object": share(pc.drop_null(table["absent_objects"]).to_numpy() > 0),
        "language": languages(table),
        "itm": {name: itm(rows) for name, rows in _by_origin(table).items()} if scored else {},
        "retrieval": retrieval(pc.drop_null(table["retrieval_rank"]).to_numpy()),
    }


def share(flags: np.ndarray) -> dict[str, Any]:
    """Share of true values with its Wilson interval."""
    return share_figure(int(np.count_nonzero(flags)), len(flags))


def ratio(hits: np.ndarray, sizes: np.ndarray) -> dict[str, Any]:
    """Sum of (n,) hits over the sum of the n sizes, with its interval, which takes the n captions as independent.

    ``n`` is the sum of the sizes. A ratio of 0 or 1 has the Wilson interval of as many observations as captions have
    any.
    """
    if not sizes.sum():
        return figure(None, 0)
    value, low, high = student_t(linearised_ratio(hits, sizes))
    if value in (0.0, 1.0):
        value, low, high = wilson(value, int(np.count_nonzero(sizes)))
    low, high = (None if end is None else min(max(end, 0.0), 1.0) for end in (low, high))
    return figure(Interval(value, low, high), int(sizes.sum()))


def distribution(values: np.ndarray) -> dict[str, Any]:
    """Mean and quantiles of (n,) values."""
    if not len(values):
        return {"n": 0}
    quantiles = np.quantile(values, QUANTILES)
    named = {f"q{100 * place:02.0f}": float(value) for place, value in zip(QUANTILES, quantiles, strict=True)}
    return {"n": len(values), "mean": float(values.mean(dtype=np.float64)), **named}


def languages(table: pa.Table) -> dict[str, Any]:
    """Share of English and the commonest languages, of captions that are neither empty nor short."""
    judged = table.filter(pc.invert(table["short"]))["language"]  # null for empty ones
    counted = sorted(pc.value_counts(judged).to_pylist(), key=lambda row: (-row["counts"], row["values"]))
    english = sum(row["counts"] for row in counted if row["values"] == "en")
    return {
        "english": share_figure(english, len(judged)),
        "commonest": {row["values"]: row["counts"] for row in counted[:LANGUAGES]},
    }


def itm(scores: pa.ChunkedArray) -> dict[str, Any]:
    """Distribution of the known ITM logit differences, how many are unknown, and the share that counts as a match."""
    known = pc.drop_null(scores).to_numpy()
    return {**distribution(known), "unknown": scores.null_count, "match": share(known > 0)}


def retrieval(ranks: np.ndarray) -> dict[str, Any]:
    """Median rank of the own image and recall at 1 and 5, each with its chance level."""
    count = len(ranks)
    if not count:
        return {"n": 0}
    recall = {f"recall_at_{k}": {**share(ranks <= k), "chance": min(k / count, 1.0)} for k in (1, 5)}
    return {"n": count, "median_rank": float(np.median(ranks)), "median_rank_by_chance": (count + 1) / 2, **recall}


def _by_origin(table: pa.Table) -> dict[str, pa.ChunkedArray]:
    names: Sequence[str] = sorted(pc.unique(table["origin"]).to_pylist())
    return {"all": table["itm"], **{n: table.filter(pc.equal(table["origin"], n))["itm"] for n in names}}
