"""X-CLR: soft targets from the similarity of captions (Sobal et al. 2024, "X-Sample Contrastive Loss")."""

import math
from collections.abc import Sequence

import numpy as np
from torch import Tensor

from workflow_scripts.pretraining.losses.contrastive import similarities, soft_cross_entropy, units
from workflow_scripts.pretraining.losses.gather import all_rows

SHARPEST, FLATTEST = 1e-4, 1e4  # bounds of the target temperature
ANCHORS = 256  # images of a batch whose targets are measured; all of a large batch would take minutes


def soft_target_loss(
    first: Tensor, second: Tensor, captions: Tensor, temperature: float, target_temperature: float
) -> Tensor:
    """Cross-entropy of similarities between views against those of their captions (Sobal et al. 2024).

    Both views of an image have its caption. With G the cosines of captions, the target of view i is the softmax of
    G_ij / target_temperature over all other views j.

    Args:
        first: (b, d) float, one view of each image; rows need not be of unit length.
        second: (b, d) float, the other view, row by row.
        captions: (b, t) float, vectors of the images' captions.
        temperature: divides the cosines of views.
        target_temperature: divides those of captions.

    Returns:
        Scalar float: mean over this process's 2b views.
    """
    logits, _ = similarities((first, second), temperature)
    graph = (units(captions) @ units(all_rows(captions)[0]).T / target_temperature).repeat(2, 2)
    targets = graph.masked_fill(logits.isinf(), float("-inf")).softmax(dim=1)
    return soft_cross_entropy(logits, targets.detach()).mean()


def perplexity(captions: Sequence[np.ndarray], target_temperature: float) -> float:
    """How many views a target is spread over: exp of its entropy, mean over the first ``ANCHORS`` images of batches.

    Args:
        captions: batches (b, t) of unit vectors of captions.
        target_temperature: as in :func:`soft_target_loss`.
    """
    return _mean(_graphs(captions), target_temperature)


def temperature_of(captions: Sequence[np.ndarray], target: float) -> float:
    """The target temperature at which :func:`perplexity` is ``target``, to six digits.

    Raises:
        ValueError: no temperature gives it; the message says which perplexities there are.
    """
    graphs, low, high = _graphs(captions), math.log(SHARPEST), math.log(FLATTEST)
    least, most = (_mean(graphs, math.exp(bound)) for bound in (low, high))
    if not least < target < most:
        raise ValueError(f"{target:g} is not between {least:.6g} and {most:.6g}")
    # The perplexity grows with the temperature. 40 halvings leave a relative error of 2e-11.
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if _mean(graphs, math.exp(middle)) < target else (low, middle)
    return float(f"{math.exp((low + high) / 2):.6g}")


def _graphs(captions: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Cosines (anchors, b) float64 of the captions of each batch."""
    return [batch[:ANCHORS].astype(np.float64) @ batch.T.astype(np.float64) for batch in captions]


def _mean(graphs: Sequence[np.ndarray], temperature: float) -> float:
    return float(np.concatenate([np.exp(_entropies(graph, temperature)) for graph in graphs]).mean())


def _entropies(graph: np.ndarray, temperature: float) -> np.ndarray:
    """Entropies (anchors,) of the targets of both views of an image, which are equal."""
    logits = graph / temperature
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    # Each other image has two views; of the image itself there is one more.
    shares = weights / ((2 - np.eye(*graph.shape)) * weights).sum(axis=1, keepdims=True)
    return -((2 - np.eye(*graph.shape)) * shares * np.log(np.where(shares > 0, shares, 1))).sum(axis=1)
