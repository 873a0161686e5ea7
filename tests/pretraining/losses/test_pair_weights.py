import numpy as np
import pytest
import torch

from workflow_scripts.pretraining.network import PairWeights, pair_weights

NAN = float("nan")


def test_a_score_below_the_mean_lowers_the_weight_and_one_above_does_not_raise_it() -> None:
    scores = torch.tensor([0.5, 0.3, 0.9, 0.0, NAN])
    found = pair_weights(scores, torch.tensor(0.5))
    expected = [1, np.exp(-0.2) ** 2, 1, np.exp(-0.5) ** 2, 1]
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert found.dtype == torch.float32


def test_the_mean_moves_by_a_hundredth_towards_each_batch() -> None:
    batches, weights = np.random.default_rng(0).normal(0.4, 0.2, (5, 6)), PairWeights()
    mean = batches[0].mean()
    for batch in batches:
        mean = 0.99 * mean + 0.01 * batch.mean()
        np.testing.assert_allclose(weights(torch.tensor(batch)), np.minimum(1, np.exp(batch - mean) ** 2), rtol=1e-6)
        assert weights.mean.item() == pytest.approx(mean, rel=1e-12)


def test_pairs_without_a_score_have_weight_1_and_no_part_in_the_mean() -> None:
    weights = PairWeights()
    assert weights(torch.tensor([NAN, NAN])).tolist() == [1, 1]
    assert weights.mean.isnan()
    assert weights(torch.tensor([0.2, NAN, 0.6])).tolist() == pytest.approx([np.exp(-0.4), 1, 1])
    assert weights.mean.item() == pytest.approx(0.4)
    assert weights(torch.tensor([NAN])).tolist() == [1]
    assert weights.mean.item() == pytest.approx(0.4)


def test_the_mean_is_in_the_state_of_the_module() -> None:
    one, other = PairWeights(), PairWeights()
    one(torch.tensor([0.1, 0.7]))
    other.load_state_dict(one.state_dict())
    batch = torch.tensor([0.3, 0.9])
    assert torch.equal(one(batch), other(batch))
    assert torch.equal(one.mean, other.mean)


@pytest.mark.parametrize("shape", [(0,), (2, 1), ()])
def test_a_wrong_shape_is_named(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="there must be one per pair"):
        PairWeights()(torch.zeros(shape))
