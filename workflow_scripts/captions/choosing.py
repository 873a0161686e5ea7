"""Which of two captions of an image its judges choose."""

from collections.abc import Sequence

import numpy as np


def by_vote(old: np.ndarray, new: np.ndarray, margins: Sequence[float], threshold: float | None = None) -> np.ndarray:
    """(n,) bool: for which images more judges vote for the new caption than for the old one.

    A judge votes for the new caption if it scores higher by more than the judge's margin, or if the old one scores
    lower than ``threshold``. It does not vote where it doesn't know both scores. A tie keeps the old caption.

    Args:
        old, new: (judges, n) float64 scores of both captions; NaN where unknown.
        margins: one per judge, in units of its score.
    """
    gain = new - old
    known = ~np.isnan(gain)
    votes = known & (gain > np.array(margins)[:, None])
    if threshold is not None:
        votes |= known & (old < threshold)
    return np.asarray(2 * votes.sum(axis=0) > known.sum(axis=0))


def by_mean_rank(old: np.ndarray, new: np.ndarray, margin: float, threshold: float | None = None) -> np.ndarray:
    """(n,) bool: for which images the new caption's mean rank is higher by more than the margin.

    Each judge ranks the old and the new captions of all images together, from the lowest score to the highest; equal
    scores share their mean rank. Ranks are divided by their number, so that 1 is the highest. The mean is over the
    judges that know both scores of an image; where none does, and at a tie, the old caption is kept. It is also
    replaced if its mean rank is lower than ``threshold``.

    Args:
        old, new: (judges, n) float64 scores of both captions; NaN where unknown.
    """
    known = ~np.isnan(new - old)
    ranks = [_ranks(np.concatenate([a[use], b[use]])) for a, b, use in zip(old, new, known, strict=True)]
    means = []
    for which in (0, 1):
        one = np.zeros(old.shape)
        for judge, use in enumerate(known):
            one[judge, use] = np.split(ranks[judge], 2)[which]
        means.append(one.sum(axis=0) / np.maximum(known.sum(axis=0), 1))
    chosen = means[1] - means[0] > margin
    if threshold is not None:
        chosen |= means[0] < threshold
    return np.asarray(chosen & known.any(axis=0))


def _ranks(scores: np.ndarray) -> np.ndarray:
    from scipy.stats import rankdata  # takes half a second to import

    return np.asarray(rankdata(scores) / max(len(scores), 1))
