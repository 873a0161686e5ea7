"""The classes whose maps are drawn: an image's own, and the wrong ones of the class swap."""

import numpy as np

from workflow_scripts.evaluation.downstream import Downstream
from workflow_scripts.evaluation.linear_probe.heads import FittedHead
from workflow_scripts.stats.seeds import derive


def class_means(data: Downstream) -> np.ndarray:
    """Mean feature of the training and validation images of each class: (k, d) float32; 0 for a class without any."""
    rows = data.rows("train", "val")
    sums = np.zeros((len(data.classes), data.features.shape[1]))
    np.add.at(sums, data.labels[rows], data.features[rows].astype(np.float64))
    counts = np.bincount(data.labels[rows], minlength=len(data.classes))
    return np.asarray(sums / np.maximum(counts, 1)[:, None], np.float32)


def swapped_classes(head: FittedHead, data: Downstream, rows: np.ndarray, seed: int) -> np.ndarray:
    """Two wrong classes of each row: (n, 2) int64.

    The first is the one with the highest logit besides the true class; the second is drawn by a hash of the key and
    ``seed``, the same for every run, among the classes of the set. Only classes that the probe knows count; if it knows
    no other, both are the true class.
    """
    own = data.labels[rows].astype(np.int64)
    logits = head.scores(data.features[rows]).astype(np.float64)
    logits[np.arange(len(rows)), own] = -np.inf
    runner_up = np.where(np.isfinite(logits).any(axis=1), logits.argmax(axis=1), own)
    known = np.flatnonzero(np.isfinite(head.bias))
    drawn = [
        _other(known, label, derive(seed, "class", str(data.keys[row]))) for row, label in zip(rows, own, strict=True)
    ]
    return np.column_stack([runner_up, np.array(drawn, np.int64)])


def _other(known: np.ndarray, label: int, number: int) -> int:
    """One of the ``known`` classes but ``label``, by ``number``."""
    others = known[known != label]
    return int(others[number % len(others)]) if len(others) else int(label)
