"""A linear head refitted to the features of a changed network, or to permuted labels."""

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.evaluation.downstream import Downstream
from workflow_scripts.evaluation.linear_probe.heads import FittedHead
from workflow_scripts.evaluation.packed import PackedImages
from workflow_scripts.models.preprocessing import normalise
from workflow_scripts.stats.seeds import derive

BATCH, ITERATIONS = 256, 200


def training_rows(data: Downstream, most: int, seed: int) -> np.ndarray:
    """Rows to which heads are fitted, drawn by hash: one of each class, then a second of each, and so on.

    Args:
        most: rows, or one of each class if there are more classes.

    Returns:
        (m,) int64, ascending.

    Raises:
        PipelineError: the training and validation images are of fewer than two classes.
    """
    rows = data.rows("train", "val")
    present = np.unique(data.labels[rows])
    if len(present) < 2:
        value = f"training and validation images of {len(present)} classes"
        raise PipelineError("no head can be fitted", data.name, value, "remove the set, or add images of other classes")
    drawn = np.array([derive(seed, "train", str(data.keys[row])) for row in rows])
    order = np.lexsort([drawn, data.labels[rows]])
    labels = data.labels[rows][order]
    turn = np.empty(len(rows), np.int64)
    turn[order] = np.arange(len(rows)) - np.searchsorted(labels, labels)
    return np.sort(rows[np.lexsort([drawn, turn])][: max(most, len(present))])


@torch.inference_mode()
def features_of(network: nn.Module, images: PackedImages, rows: np.ndarray, device: str) -> np.ndarray:
    """Features of some rows: (n, d) float32."""
    parts = [rows[start : start + BATCH] for start in range(0, len(rows), BATCH)]
    network = network.to(device)
    return np.concatenate([network(normalise(images.batch(one).to(device))).float().cpu().numpy() for one in parts])


def refitted(features: np.ndarray, labels: np.ndarray, classes: int) -> FittedHead:
    """Logistic regression (C = 1) on standardised features: a quick head, the same for every change that is compared.

    Args:
        features: (n, d) float32 of training images.
        labels: (n,) their classes, of which there are at least two; a class without an image has bias -inf.
        classes: of the set.
    """
    mean, std = features.mean(axis=0), features.std(axis=0)
    std = np.where(std > 0, std, 1).astype(np.float32)
    model = LogisticRegression(C=1.0, max_iter=ITERATIONS).fit((features - mean) / std, labels)
    weight = np.zeros((classes, features.shape[1]), np.float32)
    bias = np.full(classes, -np.inf, np.float32)
    if len(model.classes_) == 2:  # one row stands for both
        weight[model.classes_] = np.stack([-model.coef_[0], model.coef_[0]]) / 2
        bias[model.classes_] = np.array([-1, 1]) * model.intercept_[0] / 2
    else:
        weight[model.classes_], bias[model.classes_] = model.coef_, model.intercept_
    return FittedHead(weight, bias, mean.astype(np.float32), std)
