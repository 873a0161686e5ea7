"""Mean cross entropy of a linear softmax classifier and its gradient, on a GPU."""

import numpy as np
import torch
from torch.nn import functional

from workflow_scripts.evaluation.linear_probe.softmax import mean_squares


class TorchCrossEntropy:
    """As ``NumpyCrossEntropy``, with the features kept on ``device``; only weights are transferred."""

    def __init__(self, features: np.ndarray, labels: np.ndarray, classes: int, device: str) -> None:
        self.features = torch.from_numpy(np.ascontiguousarray(features)).to(device)
        self.targets = torch.from_numpy(labels.astype(np.int64)).to(device)
        self.labels, self.classes = labels, classes
        self.rows, self.dimension = features.shape
        self.spread = mean_squares(features)

    @torch.inference_mode()
    def __call__(self, weight: np.ndarray, bias: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        """See ``CrossEntropy``."""
        scores = self.features @ torch.from_numpy(weight).to(self.features).T + torch.from_numpy(bias).to(self.features)
        logs = functional.log_softmax(scores, dim=1)
        loss = float(functional.nll_loss(logs, self.targets))
        slope = logs.exp_()
        slope[torch.arange(self.rows, device=slope.device), self.targets] -= 1
        slope /= self.rows
        return loss, (slope.T @ self.features).double().cpu().numpy(), slope.sum(dim=0).double().cpu().numpy()
