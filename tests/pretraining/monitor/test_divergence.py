"""Losses and weights that are not finite."""

import pytest
import torch

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.pretraining.monitor.divergence import check_losses, check_weights


def test_the_first_bad_loss_is_named_with_the_checkpoint_that_is_kept():
    check_losses([1.0, 2.0], 9, 5)
    said = r"loss is not finite in step 8 of pretrain: inf; the checkpoint of step 5 is kept; lower lr"
    with pytest.raises(PipelineError, match=said):
        check_losses([1.0, float("inf"), float("nan")], 9, 5)
    with pytest.raises(PipelineError, match="step 9 of pretrain: nan; there was no checkpoint yet; lower lr"):
        check_losses([float("nan")], 9, 0)


@pytest.mark.parametrize("bad", [float("nan"), float("-inf")])
def test_the_first_bad_weight_is_named(bad):
    weights = {"a": torch.ones(3), "count": torch.tensor(4), "b": torch.ones(2, 2)}
    check_weights(weights, 3, 0)
    weights["b"][1, 1] = bad
    with pytest.raises(PipelineError, match="weights are not finite in step 3 of pretrain: b; there was no checkpoint"):
        check_weights(weights, 3, 0)
