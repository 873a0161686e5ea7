"""All diagnostics of a pair table: per pair, and as a summary."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from workflow_scripts.pairs import quality
from workflow_scripts.pairs.quality import PairRows


@dataclass(frozen=True)
class Knowledge:
    """Data on the n images: int codes of the subreddits; image vectors and label codes, if any.

    A label code of -1 means unknown.
    """

    subreddit: np.ndarray
    vectors: np.ndarray | None
    label: np.ndarray | None


@dataclass(frozen=True)
class Report:
    """``pairs``: image_cosine, same_subreddit, reciprocal, same_label per pair; ``summary`` and random cosines."""

    pairs: pa.Table
    summary: dict[str, Any]
    random_cosines: np.ndarray | None


def judge(pairs: PairRows, known: Knowledge, bootstrap: int, seed: int) -> Report:
    """Per-pair columns and the summary of ``pairs``; unknown values are null."""
    back = quality.reciprocal(pairs)
    same = known.subreddit[pairs.source] == known.subreddit[pairs.target]
    summary: dict[str, Any] = {
        "images": pairs.count,
        "pairs": len(pairs),
        "hubness": quality.hubness(pairs),
        "reciprocity": quality.share(back, pairs),
        "equal_captions": quality.share(pairs.cosine >= quality.EQUAL, pairs),
        "same_subreddit": {
            **quality.share(same, pairs),
            "chance": quality.chance(known.subreddit, np.unique(pairs.source)),
        },
        "image_cosine": None,
        "same_label": None,
    }
    image = random = None
    if known.vectors is not None:
        image = quality.cosines(known.vectors, pairs.source, pairs.target)
        random = quality.cosines(known.vectors, pairs.source, quality.random_targets(pairs, seed))
        summary["image_cosine"] = quality.image_similarity(
            pairs, image, random, lambda values: quality.bootstrap_mean(values, bootstrap, seed)
        )
    label = pa.nulls(len(pairs), pa.bool_())
    if known.label is not None:
        label, summary["same_label"] = purity(pairs, known.label)
    columns = {
        "image_cosine": pa.nulls(len(pairs), pa.float32()) if image is None else pa.array(image),
        "same_subreddit": pa.array(same),
        "reciprocal": pa.array(back),
        "same_label": label,
    }
    return Report(pa.table(columns), summary, random)


def purity(pairs: PairRows, label: np.ndarray) -> tuple[pa.Array, dict[str, Any]]:
    """Per pair, whether both images have the same label (null if one is unknown), and the share with its chance."""
    known = (label[pairs.source] >= 0) & (label[pairs.target] >= 0)
    same = label[pairs.source] == label[pairs.target]
    kept = PairRows(pairs.source[known], pairs.target[known], pairs.cosine[known], pairs.count)
    labelled = np.flatnonzero(label >= 0)
    place = np.searchsorted(labelled, np.unique(kept.source))
    value = {**quality.share(same[known], kept), "chance": quality.chance(label[labelled], place)}
    return pa.array(same, mask=~known), value
