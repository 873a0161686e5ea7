"""All diagnostics of a pair table: per pair, and as a summary."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from workflow_scripts.pairs.diagnostics import quality
from workflow_scripts.pairs.diagnostics.quality import effective_targets, false_negatives
from workflow_scripts.pairs.key_join import ImageVectors, PairRows

NEAR_DUPLICATE = 0.95  # image cosine from which two images are called near duplicates
QUANTILES = {"q05": 0.05, "q25": 0.25, "median": 0.5, "q75": 0.75, "q95": 0.95}


@dataclass(frozen=True)
class Knowledge:
    """Data on the n images: int codes of the subreddits; image vectors, codes of labels and of captions, if any.

    A label code of -1 means unknown. ``copies`` says which of the m pairs have equal captions, and captions of nearly
    the same words (equal ones too), if captions are known: (m,) bool each.
    """

    subreddit: np.ndarray
    vectors: ImageVectors | None
    label: np.ndarray | None
    caption: np.ndarray | None
    copies: tuple[np.ndarray, np.ndarray] | None = None


@dataclass(frozen=True)
class Report:
    """``pairs``: image_cosine, same_subreddit, reciprocal, same_label per pair; ``summary`` and random cosines."""

    pairs: pa.Table
    summary: dict[str, Any]
    random_cosines: np.ndarray | None


def judge(pairs: PairRows, known: Knowledge, batch: int, seed: int) -> Report:
    """Per-pair columns and the summary of ``pairs``; unknown values are null.

    Args:
        batch: size of the batches whose false negatives are counted.
        seed: of random pairs.
    """
    back = quality.reciprocal(pairs)
    same = known.subreddit[pairs.source] == known.subreddit[pairs.target]
    summary: dict[str, Any] = {
        "images": pairs.count,
        "pairs": len(pairs),
        "hubness": quality.hubness(pairs) | effective_targets(pairs),
        "false_negatives": false_negatives(pairs, known.caption, batch),
        "reciprocity": quality.share(back, pairs),
        **{
            name: None if known.copies is None else quality.share(known.copies[at], pairs)
            for at, name in enumerate(("equal_captions", "near_copies"))
        },
        "same_subreddit": {
            **quality.share(same, pairs),
            "chance": quality.chance(known.subreddit, pairs.sources),
        },
        "image_cosine": None,
        "same_label": None,
    }
    image = random = None
    if known.vectors is not None:
        beside = quality.random_in_subreddit(pairs, known.subreddit, seed)
        targets = (pairs.target, quality.random_targets(pairs, seed), beside)
        image, random, baseline = _cosines(known.vectors, pairs.source, targets)
        summary["image_cosine"] = _of_images(pairs, image, random, baseline)
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


def _cosines(known: ImageVectors, source: np.ndarray, targets: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Image cosines of each source with its target in each of ``targets``, in one pass; NaN where a target is -1."""
    has = [target >= 0 for target in targets]
    one = np.concatenate([known.row[source[some]] for some in has])
    other = np.concatenate([known.row[target[some]] for target, some in zip(targets, has, strict=True)])
    found = np.full((len(targets), len(source)), np.nan, np.float32)
    found[np.array(has)] = quality.cosines(known.vectors, one, other)
    return list(found)


def _of_images(pairs: PairRows, image: np.ndarray, random: np.ndarray, baseline: np.ndarray) -> dict[str, Any]:
    """Image cosines of the pairs against random pairs, and against random pairs of the same subreddit; their tails.

    ``false_positives`` are pairs less similar than the median random pair.

    Args:
        image: (m,) cosines of the pairs.
        random: those of random pairs of the same sources.
        baseline: those of random pairs of the same sources and subreddits; NaN where there is none.
    """
    has = ~np.isnan(baseline)
    within = PairRows(pairs.source[has], pairs.target[has], pairs.cosine[has], pairs.count)
    beside = quality.image_similarity(within, image[has], baseline[has])
    found: dict[str, Any] = quality.image_similarity(pairs, image, random)
    found |= {"random_in_subreddit": beside["random"], "difference_in_subreddit": beside["difference"]}
    if len(pairs):
        found["quantiles"] = dict(zip(QUANTILES, np.quantile(image, [*QUANTILES.values()]).tolist(), strict=True))
        found["false_positives"] = quality.share(image < np.median(random), pairs)
    near = quality.share(image >= NEAR_DUPLICATE, pairs)
    by_chance = float((random >= NEAR_DUPLICATE).mean()) if len(pairs) else None
    return found | {"near_duplicates": near | {"chance": by_chance}}


def purity(pairs: PairRows, label: np.ndarray) -> tuple[pa.Array, dict[str, Any]]:
    """Per pair, whether both images have the same label (null if one is unknown), and the share with its chance."""
    known = (label[pairs.source] >= 0) & (label[pairs.target] >= 0)
    same = label[pairs.source] == label[pairs.target]
    kept = PairRows(pairs.source[known], pairs.target[known], pairs.cosine[known], pairs.count)
    labelled = np.flatnonzero(label >= 0)
    place = np.searchsorted(labelled, kept.sources)
    value = {**quality.share(same[known], kept), "chance": quality.chance(label[labelled], place)}
    return pa.array(same, mask=~known), value
