"""The setting ``pair_weight``: which methods take it, and that it changes their losses and nothing else."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from safetensors import safe_open

from tests.pretraining.shapes import HEADS, of_method, plan
from tests.pretraining.test_methods import SIZES, TRAINED, batch_of, run_of
from workflow_scripts.pretraining.network import PairWeights, build_network, pair_weights
from workflow_scripts.pretraining.settings import BY_CAPTION, METHODS, Pretrain
from workflow_scripts.pretraining.training import checkpoint, trainer
from workflow_scripts.pretraining.training.interrupt import Interrupt
from workflow_scripts.pretraining.training.plan import OUTCOME

WEIGHTED = [name for name in TRAINED if METHODS[name].weights]
SCORES = torch.tensor([0.9, 0.2, float("nan"), 0.5])


def weighted_run(name: str, weight: str = "itm") -> Pretrain:
    pairs = next(kind for kind in METHODS[name].pairs if kind in BY_CAPTION)
    return run_of(name, pairs=pairs, pair_weight=weight, **{name: HEADS[name]})


def test_methods_whose_pairs_captions_make_take_weights_and_the_others_refuse_them() -> None:
    assert {"simclr", "simsiam", "clip", "clip_sbert", "multi_positive"} <= set(WEIGHTED)
    listed = " or ".join(WEIGHTED)
    for name in set(TRAINED) - set(WEIGHTED):
        with pytest.raises(ValidationError, match=f"pair_weight itm goes with method {listed}, not with {name}"):
            run_of(name, pair_weight="itm")
    with pytest.raises(ValidationError, match="pair_weight agreement goes with pairs of kind language or caption, not"):
        run_of("simclr", pairs="visual", pair_weight="agreement")


def test_the_key_of_a_run_without_weights_is_the_same() -> None:
    assert "pair_weight" not in run_of("clip", pair_weight="none").model_dump()
    assert weighted_run("clip").model_dump()["pair_weight"] == "itm"
    assert {"faithfulness"} == weighted_run("clip").inputs - run_of("clip").inputs


@pytest.mark.parametrize("name", WEIGHTED)
def test_pair_weights_change_only_the_loss_and_its_gradient(name: str) -> None:
    made = {}
    for label, scores in (("none", None), ("equal", torch.full((4,), 0.4)), ("mixed", SCORES)):
        run = run_of(name, **{name: HEADS[name]}) if scores is None else weighted_run(name)
        network, batch = build_network(run, SIZES), batch_of(name)
        loss = network(batch._replace(scores=scores))
        loss.backward()
        weights = {key: value for key, value in network.state_dict().items() if key != "weigh.mean"}
        made[label] = (loss.item(), weights, network.backbone.get_parameter("conv1.weight").grad)
    # All as faithful as the mean: weights of 1. Weights, statistics of batch norms and queues are the same in any case.
    assert made["equal"][0] == pytest.approx(made["none"][0], rel=1e-6)
    assert made["mixed"][0] != pytest.approx(made["none"][0], rel=1e-3)
    assert not torch.equal(made["mixed"][2], made["none"][2])
    for key, value in made["none"][1].items():
        assert torch.equal(made["mixed"][1][key], value), key


@pytest.mark.parametrize("name", WEIGHTED)
def test_the_loss_is_linear_in_the_weights(name: str) -> None:
    """A weight scales what its pair adds as anchor, in all terms that depend on captions."""
    run = run_of(name, **{name: HEADS[name]})
    batch = batch_of(name)

    def loss(weights: torch.Tensor) -> float:
        return float(build_network(run, SIZES)(batch._replace(weights=weights)).item())

    nothing = loss(torch.zeros(4))
    parts = [loss(row) - nothing for row in torch.eye(4)]
    given = pair_weights(SCORES, torch.tensor(0.6))
    expected = nothing + sum(float(weight) * part for weight, part in zip(given, parts, strict=True))
    assert loss(given) == pytest.approx(expected, rel=1e-4, abs=1e-5)
    # NT-Xent between two views of an image, as in SLIP, depends on no caption.
    assert (abs(nothing) > 1e-6) == (name == "slip")


def test_a_run_continues_while_no_batch_has_a_score(tmp_path: Path) -> None:
    """The mean of scores is NaN until then, in checkpoints too."""
    unknown = {**of_method("clip_sbert"), "faithfulness": np.full(24, np.nan)}
    trainer.train(plan(tmp_path, steps=4, checkpoints=[1], checkpoint_every=1, probe=None, **unknown), Interrupt())
    with safe_open(tmp_path / "work" / checkpoint.NAME, "pt") as file:
        assert file.get_tensor("model.weigh.mean").isnan()
    assert json.loads((tmp_path / "work" / OUTCOME).read_text())["step"] == 4


NAN = float("nan")


def test_scores_below_the_mean_lower_the_weight_and_others_leave_it_at_1() -> None:
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


def test_unscored_pairs_have_weight_1_and_do_not_affect_the_mean() -> None:
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
