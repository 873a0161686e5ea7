"""Diagnostics of a pair table: hubs, reciprocity, repeated captions, agreement with subreddit, image and label."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.stats import skew

from workflow_scripts.pairs.key_join import ImageVectors, PairRows
from workflow_scripts.pairs.pools import pools_of
from workflow_scripts.stats.intervals import figure, mean_figure, wilson
from workflow_scripts.stats.seeds import derive

HELD = 1 << 30  # bytes of vectors
NEAR_DUPLICATE = 0.95  # image cosine from which two images are called near duplicates
QUANTILES = {"q05": 0.05, "q25": 0.25, "median": 0.5, "q75": 0.75, "q95": 0.95}
Number = float | int | None


def hubness(pairs: PairRows, eligible: int) -> dict[str, Number]:
    """How unevenly the ``eligible`` images, those that can be targets, are chosen.

    ``skewness`` is that of N_k, how often an image is a target (Radovanovic et al. 2010, JMLR 11:2487); ``gini`` is 0
    if all are chosen equally often and near 1 if one takes all; ``never_share`` is the share that is never chosen.
    """
    if not len(pairs):
        return {"skewness": None, "max": None, "gini": None, "never_share": None}
    _, counts = np.unique(pairs.target, return_counts=True)
    chosen = np.concatenate([counts, np.zeros(eligible - len(counts), np.int64)])
    even = chosen.min() == chosen.max()
    return {
        "skewness": 0.0 if even else float(skew(chosen)),
        "max": int(chosen.max()),
        "gini": gini(chosen),
        "never_share": float((chosen == 0).mean()),
    }


def gini(values: np.ndarray) -> float:
    """Gini coefficient of (n,) values >= 0 that are not all zero: mean absolute difference over twice the mean."""
    ordered = np.sort(values).astype(np.float64)
    count = len(ordered)
    weights = 2 * np.arange(1, count + 1) - count - 1
    return float((weights * ordered).sum() / (count * ordered.sum()))


def reciprocal(pairs: PairRows) -> np.ndarray:
    """(m,) bool: the target has the source among its own targets."""
    forth = pairs.source.astype(np.int64) * pairs.count + pairs.target
    back = pairs.target.astype(np.int64) * pairs.count + pairs.source
    return np.isin(back, forth)


def share(hits: np.ndarray, pairs: PairRows) -> dict[str, Number]:
    """Share of true among (m,) bool ``hits`` with its Wilson interval.

    The pairs of one source are not independent: n is the number of sources, not of pairs.
    """
    sources = len(pairs.sources)
    return figure(wilson(float(hits.mean()), sources) if sources else None, sources)


def chance(codes: np.ndarray, sources: np.ndarray) -> float | None:
    """Chance that a random other image has the source's code, mean over ``sources``; (n,) int codes."""
    if len(codes) < 2 or not len(sources):
        return None
    sizes = np.bincount(codes)
    return float(((sizes[codes[sources]] - 1) / (len(codes) - 1)).mean())


def random_targets(pairs: PairRows, seed: int) -> np.ndarray:
    """(m,) rows: for every pair a random image other than its source, all equally likely."""
    rng = np.random.default_rng(derive(seed, "random-pairs"))
    return (pairs.source + 1 + rng.integers(0, max(pairs.count - 1, 1), len(pairs))) % pairs.count


def random_in_subreddit(pairs: PairRows, subreddit: np.ndarray, seed: int) -> np.ndarray:
    """(m,) rows: for every pair a random other image of its source's subreddit, -1 if there is none; (n,) int codes."""
    rng = np.random.default_rng(derive(seed, "random-pairs", "subreddit"))
    pools = pools_of(subreddit)
    place = np.empty(len(subreddit), dtype=np.int64)
    place[pools.members] = np.arange(len(subreddit))
    _, pool = np.unique(subreddit, return_inverse=True)
    start, size = pools.start[pool[pairs.source]], pools.size[pool[pairs.source]]
    step = 1 + rng.integers(0, np.maximum(size - 1, 1))
    return np.where(size > 1, pools.members[start + (place[pairs.source] - start + step) % size], -1)


def cosines(vectors: np.ndarray, one: np.ndarray, other: np.ndarray, block: int = 8192, held: int = HELD) -> np.ndarray:
    """(m,) float32 inner products of rows ``one`` with rows ``other`` of (n, d) unit ``vectors``.

    The vectors may be a file that is larger than memory. ``held`` bytes of it are in memory at a time; for each such
    part, the rows after its start are read in the order of the file, so nothing is read at random places.
    """
    found, rows = np.empty(len(one), dtype=np.float32), max(1, held // max(1, vectors[:1].nbytes))
    low, high = (choose(one, other).astype(np.int32) for choose in (np.minimum, np.maximum))
    order = np.argsort(low // rows * np.int64(len(vectors)) + high, kind="stable")
    ends = np.cumsum(np.bincount(low // rows)) if len(one) else np.zeros(0, np.int64)
    for number, end in enumerate(ends.tolist()):
        mine, first = order[ends[number - 1] if number else 0 : end], number * rows
        kept = np.array(vectors[first : first + rows]) if len(mine) else vectors[:0]
        for start in range(0, len(mine), block):
            part = mine[start : start + block]
            left, right = (values.astype(np.float64) for values in (kept[low[part] - first], vectors[high[part]]))
            found[part] = np.einsum("nd,nd->n", left, right)
    return found


def mean_by_source(values: np.ndarray, pairs: PairRows) -> np.ndarray:
    """(sources,) float64: the mean of (m,) ``values`` over each source's pairs, sources in row order."""
    group = np.searchsorted(pairs.sources, pairs.source)
    return np.bincount(group, weights=values) / np.bincount(group)


def image_similarity(pairs: PairRows, of_pairs: np.ndarray, of_random: np.ndarray) -> dict[str, dict[str, Any]]:
    """Mean image cosine of pairs, of random pairs of the same sources, and their difference, by source image."""
    here, there = mean_by_source(of_pairs, pairs), mean_by_source(of_random, pairs)
    return {"pairs": mean_figure(here), "random": mean_figure(there), "difference": mean_figure(here - there)}


def negatives(
    pairs: PairRows, caption: np.ndarray | None, batch: int, label: np.ndarray | None = None
) -> dict[str, Number]:
    """Expected number of pairs of sources in a batch, negatives of each other, that are alike in some way.

    Args:
        pairs: the pair table.
        caption: (n,) int64 codes of captions, if known.
        batch: sources in a batch; all sources if there are fewer.
        label: (n,) codes of what the images show, -1 where unknown; None if all are.

    Returns:
        ``batch`` and the expected numbers among its batch * (batch - 1) / 2 pairs of sources: ``equal_captions``,
        ``shared_targets`` and ``either``; and ``same_label``, the false negatives, if the sources of unknown label are
        as the others. None where it is unknown, or there are no two sources.
    """
    count = len(pairs.sources)
    if count < 2:
        return {"batch": count, **dict.fromkeys(("equal_captions", "shared_targets", "either", "same_label"))}
    batch = min(batch, count)
    scale = batch * (batch - 1) / (count * (count - 1)) / 2
    weight = _weights(pairs)
    shared = scale * _coincidences(pairs.target, weight)
    equal = either = None
    if caption is not None:
        equal = scale * _coincidences(caption[pairs.sources], np.ones(count))
        both = scale * _coincidences(caption[pairs.source] * pairs.count + pairs.target, weight)
        either = equal + shared - both
    shown = np.array([]) if label is None else label[pairs.sources][label[pairs.sources] >= 0]
    chance = _coincidences(shown, np.ones(len(shown))) / len(shown) / (len(shown) - 1) if len(shown) > 1 else None
    false = None if chance is None else chance * batch * (batch - 1) / 2
    return {"batch": batch, "equal_captions": equal, "shared_targets": shared, "either": either, "same_label": false}


def _weights(pairs: PairRows) -> np.ndarray:
    """(m,) float64: the chance of each pair if its source has one of its partners, all equally likely."""
    return 1 / np.bincount(pairs.source, minlength=pairs.count)[pairs.source]


def _coincidences(codes: np.ndarray, weight: np.ndarray) -> float:
    """Sum over ordered pairs of different entries with the same code of the product of their (m,) weights."""
    _, group = np.unique(codes, return_inverse=True)
    return float((np.bincount(group, weight) ** 2).sum() - (weight**2).sum())


def effective_targets(pairs: PairRows) -> dict[str, Number]:
    """How many different images a random source's target may be.

    ``entropy_bits`` is the entropy H of that target, and ``effective_targets`` is 2^H, the number of targets that, used
    equally often, have this entropy (Hill 1973, Ecology 54:427).
    """
    if not len(pairs):
        return {"entropy_bits": None, "effective_targets": None}
    share = np.bincount(pairs.target, _weights(pairs)) / len(pairs.sources)
    share = share[share > 0]
    entropy = float(-(share * np.log2(share)).sum())
    return {"entropy_bits": abs(entropy), "effective_targets": 2.0 ** abs(entropy)}


def by_subreddit(pairs: PairRows, names: pa.ChunkedArray, image: np.ndarray | None) -> pa.Table:
    """A row for each subreddit that has pairs, the largest first.

    Args:
        pairs: the pair table.
        names: (n,) subreddits of the images.
        image: (m,) image cosines of the pairs, if known.

    Returns:
        subreddit; sources, pairs (int64); same_subreddit, image_cosine (float64, means over pairs); effective_targets
        (float64): 2 to the power of the entropy of the targets of its pairs.
    """
    coded = pc.dictionary_encode(names.combine_chunks())
    code = coded.indices.to_numpy().astype(np.int64)
    own, total = code[pairs.source], len(coded.dictionary)
    count = np.bincount(own, minlength=total)
    shown = np.argsort(-count, kind="stable")[: int((count > 0).sum())]
    each, uses = np.unique(own * pairs.count + pairs.target, return_counts=True)
    share = uses / count[each // pairs.count]
    entropy = -np.bincount(each // pairs.count, share * np.log2(share), minlength=total)
    same = np.bincount(own, own == code[pairs.target], minlength=total)

    def mean(sums: np.ndarray) -> pa.Array:
        return pa.array(sums[shown] / count[shown])

    return pa.table(
        {
            "subreddit": coded.dictionary.take(pa.array(shown)),
            "sources": pa.array(np.bincount(code[pairs.sources], minlength=total)[shown]),
            "pairs": pa.array(count[shown]),
            "same_subreddit": mean(same),
            "image_cosine": pa.nulls(len(shown), pa.float64())
            if image is None
            else mean(np.bincount(own, image, minlength=total)),
            "effective_targets": pa.array(2.0 ** np.abs(entropy[shown])),
        }
    )


@dataclass(frozen=True)
class Knowledge:
    """Data on the n images: how many can be partners; int codes of the subreddits; image vectors, codes of labels and
    of captions, if any.

    A label code of -1 means unknown. ``copies`` says which of the m pairs have equal captions, and captions of nearly
    the same words (equal ones too), if captions are known: (m,) bool each.
    """

    eligible: int
    subreddit: np.ndarray
    vectors: ImageVectors | None = None
    label: np.ndarray | None = None
    caption: np.ndarray | None = None
    copies: tuple[np.ndarray, np.ndarray] | None = None


def judge(
    pairs: PairRows, known: Knowledge, batch: int, seed: int
) -> tuple[pa.Table, dict[str, Any], np.ndarray | None]:
    """Figures of ``pairs``; unknown values are null.

    Args:
        batch: size of the batches whose negatives are counted.
        seed: of random pairs.

    Returns:
        image_cosine, same_subreddit, reciprocal, same_label per pair; the summary; and image cosines of random pairs.
    """
    back = reciprocal(pairs)
    same = known.subreddit[pairs.source] == known.subreddit[pairs.target]
    summary: dict[str, Any] = {
        "images": pairs.count,
        "pairs": len(pairs),
        "hubness": hubness(pairs, known.eligible) | effective_targets(pairs),
        "negatives": negatives(pairs, known.caption, batch, known.label),
        "reciprocity": share(back, pairs),
        "equal_captions": None if known.copies is None else share(known.copies[0], pairs),
        "near_copies": None if known.copies is None else share(known.copies[1], pairs),
        "same_subreddit": share(same, pairs) | {"chance": chance(known.subreddit, pairs.sources)},
        "image_cosine": None,
        "same_label": None,
    }
    image = random = None
    if known.vectors is not None:
        beside = random_in_subreddit(pairs, known.subreddit, seed)
        targets = (pairs.target, random_targets(pairs, seed), beside)
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
    return pa.table(columns), summary, random


def _cosines(known: ImageVectors, source: np.ndarray, targets: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Image cosines of each source with its target in each of ``targets``, in one pass; NaN where a target is -1."""
    has = [target >= 0 for target in targets]
    one = np.concatenate([known.row[source[some]] for some in has])
    other = np.concatenate([known.row[target[some]] for target, some in zip(targets, has, strict=True)])
    found = np.full((len(targets), len(source)), np.nan, np.float32)
    found[np.array(has)] = cosines(known.vectors, one, other)
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
    beside = image_similarity(within, image[has], baseline[has])
    found: dict[str, Any] = image_similarity(pairs, image, random)
    found |= {"random_in_subreddit": beside["random"], "difference_in_subreddit": beside["difference"]}
    if len(pairs):
        found["quantiles"] = dict(zip(QUANTILES, np.quantile(image, [*QUANTILES.values()]).tolist(), strict=True))
        found["false_positives"] = share(image < np.median(random), pairs)
    near = share(image >= NEAR_DUPLICATE, pairs)
    by_chance = float((random >= NEAR_DUPLICATE).mean()) if len(pairs) else None
    return found | {"near_duplicates": near | {"chance": by_chance}}


def purity(pairs: PairRows, label: np.ndarray) -> tuple[pa.Array, dict[str, Any]]:
    """Per pair, whether both images have the same label (null if one is unknown), and the share with its chance."""
    known = (label[pairs.source] >= 0) & (label[pairs.target] >= 0)
    same = label[pairs.source] == label[pairs.target]
    kept = PairRows(pairs.source[known], pairs.target[known], pairs.cosine[known], pairs.count)
    labelled = np.flatnonzero(label >= 0)
    place = np.searchsorted(labelled, kept.sources)
    value = {**share(same[known], kept), "chance": chance(label[labelled], place)}
    return pa.array(same, mask=~known), value
