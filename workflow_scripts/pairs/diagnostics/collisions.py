"""False negatives of a batch: other pairs of the batch that show the same thing, which a contrastive loss pushes apart.

A batch holds b different sources, all sets equally likely, each with one of its partners, all equally likely.
"""

import numpy as np

from workflow_scripts.pairs.diagnostics.quality import Number
from workflow_scripts.pairs.key_join import PairRows


def false_negatives(pairs: PairRows, caption: np.ndarray | None, batch: int) -> dict[str, Number]:
    """Expected number of pairs of sources in a batch that have the same caption, the same target, or either.

    Args:
        pairs: the pair table.
        caption: (n,) int64 codes of captions, if known.
        batch: sources in a batch; all sources if there are fewer.

    Returns:
        ``batch`` and the expected numbers ``equal_captions``, ``shared_targets`` and ``either`` among its
        batch * (batch - 1) / 2 pairs of sources; None where the captions are unknown or there are no two sources.
    """
    count = len(pairs.sources)
    if count < 2:
        return {"batch": count, "equal_captions": None, "shared_targets": None, "either": None}
    batch = min(batch, count)
    scale = batch * (batch - 1) / (count * (count - 1)) / 2
    weight = _weights(pairs)
    shared = scale * _coincidences(pairs.target, weight)
    equal = either = None
    if caption is not None:
        equal = scale * _coincidences(caption[pairs.sources], np.ones(count))
        both = scale * _coincidences(caption[pairs.source] * pairs.count + pairs.target, weight)
        either = equal + shared - both
    return {"batch": batch, "equal_captions": equal, "shared_targets": shared, "either": either}


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
