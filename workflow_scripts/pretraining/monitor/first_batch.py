"""Features of the run's first batch, to monitor runs that have no online probe."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from workflow_scripts.pretraining.monitor.collapse import feature_statistics

IMAGES = 256
TIMES = 20  # how often in a run


class FirstBatch:
    """Views of the pairs of step 1, which are the same in every run with the same pairs and seed.

    Args:
        views: (b, 3, s, s) float32 normalised, of which the first two are the positive pairs of the alignment.
    """

    def __init__(self, views: Sequence[torch.Tensor]) -> None:
        self._views = [view[:IMAGES].clone() for view in views[:2]]  # a slice would keep the whole batch in memory

    @torch.no_grad()
    def __call__(self, backbone: nn.Module, device: torch.device) -> dict[str, float | None]:
        """Statistics of the features of ``backbone``, temporarily in evaluation mode."""
        training = backbone.training
        backbone.eval()
        features = [backbone(view.to(device)).float().cpu().numpy() for view in self._views]
        backbone.train(training)
        return feature_statistics(np.concatenate(features), np.tile(np.arange(len(features[0])), len(features)))


def interval(steps: int) -> int:
    """Steps between two measurements of the first batch."""
    return max(1, -(-steps // TIMES))
