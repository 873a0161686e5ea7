"""Weights replaced by random ones, from the last part of a network to the first (Adebayo et al. 2018, NeurIPS)."""

import copy
from collections.abc import Iterator

import numpy as np
from scipy.stats import rankdata
from torch import nn

TRAINED, WHOLE = "trained", "all"


def cascade(network: nn.Module, untrained: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """The network itself, then with its last part from ``untrained``, then also the one before, down to the first.

    Weights that are in no part, such as the class token and the positions of a transformer, are replaced last, so that
    the last network is ``untrained``. The network itself is not changed.
    """
    yield TRAINED, network
    changed = copy.deepcopy(network)
    parts = _parts(changed)
    for name, part in reversed(parts):
        part.load_state_dict(untrained.get_submodule(name).state_dict())
        yield name, changed.eval()
    inside = tuple(f"{name}." for name, _ in parts)
    if not all(key.startswith(inside) for key in changed.state_dict()):
        changed.load_state_dict(untrained.state_dict())
        yield WHOLE, changed.eval()


def _parts(module: nn.Module, prefix: str = "") -> list[tuple[str, nn.Module]]:
    """Paths and children that have weights or buffers; the one child that keeps a network's stages is split in turn."""
    found = [(name, child) for name, child in module.named_children() if child.state_dict()]
    inner = [name for name, child in found if _has_parts(child)]
    staged = [name for name, child in found if any(_is_list_of_stages(one) for one in (child, *child.children()))]
    split = inner if len(inner) == 1 else staged if len(staged) == 1 else []
    parts: list[tuple[str, nn.Module]] = []
    for name, child in found:
        path = f"{prefix}{name}"
        parts += _parts(child, f"{path}.") if name in split else [(path, child)]
    return parts


def _has_parts(module: nn.Module) -> bool:
    return any(child.state_dict() for child in module.children())


def _is_list_of_stages(module: nn.Module) -> bool:
    return isinstance(module, nn.Sequential | nn.ModuleList) and any(_has_parts(child) for child in module)


def map_correlation(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Spearman's rank correlation of two maps of each image, (n, h, w) each: (n,) float64, nan for a constant map."""
    ranks = [rankdata(one.reshape(len(one), -1), axis=1) for one in (first, second)]
    centred = [one - one.mean(axis=1, keepdims=True) for one in ranks]
    norms = np.sqrt(np.square(centred[0]).sum(axis=1) * np.square(centred[1]).sum(axis=1))
    product = (centred[0] * centred[1]).sum(axis=1)
    return np.divide(product, norms, out=np.full(len(norms), np.nan), where=norms > 0)
