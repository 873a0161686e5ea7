"""Weights replaced by random ones, from the last part of a network to the first (Adebayo et al. 2018, NeurIPS)."""

import copy
from collections.abc import Iterator

import numpy as np
from scipy.stats import rankdata
from torch import nn

TRAINED = "trained"


def cascade(network: nn.Module, untrained: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """The network itself, then with its last part from ``untrained``, then also the one before, down to the first.

    Parts are the children that have weights or buffers. The network itself is not changed.
    """
    yield TRAINED, network
    changed = copy.deepcopy(network)
    twins = dict(untrained.named_children())
    for name, part in reversed([*changed.named_children()]):
        if part.state_dict():
            part.load_state_dict(twins[name].state_dict())
            yield name, changed.eval()


def map_correlation(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Spearman's rank correlation of two maps of each image, (n, h, w) each: (n,) float64, nan for a constant map."""
    ranks = [rankdata(one.reshape(len(one), -1), axis=1) for one in (first, second)]
    centred = [one - one.mean(axis=1, keepdims=True) for one in ranks]
    norms = np.sqrt(np.square(centred[0]).sum(axis=1) * np.square(centred[1]).sum(axis=1))
    product = (centred[0] * centred[1]).sum(axis=1)
    return np.divide(product, norms, out=np.full(len(norms), np.nan), where=norms > 0)
