"""A linear head refitted to the features of a changed network, or to permuted labels."""

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn

from workflow_scripts.evaluation.linear_probe.heads import FittedHead
from workflow_scripts.evaluation.packed import PackedImages
from workflow_scripts.models.preprocessing import normalise

BATCH, ITERATIONS = 256, 200


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
