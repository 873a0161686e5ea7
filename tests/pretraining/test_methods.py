"""Every method states what the workflow needs to know of it, and what it states is true."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from pydantic import ValidationError

from tests.pretraining.shapes import HEADS as HEADS_OF_TESTS
from workflow_scripts.core.registry import listed
from workflow_scripts.pretraining.augmentations import AUGMENTATIONS
from workflow_scripts.pretraining.method import LabelSettings, Sizes
from workflow_scripts.pretraining.network import Batch, Network, build_network
from workflow_scripts.pretraining.settings import HEADS, METHODS, Pretrain

TRAINED = [name for name, method in METHODS.items() if method.objective is not None]


def test_two_signals_from_captions_are_refused() -> None:
    """Each leaves images out, so the rows of one would be those of other images."""
    with pytest.raises(ValueError, match="clip learns from tokens and vectors, but only one can be of captions"):
        replace(METHODS["clip"], learns=("tokens", "vectors", "labels"))


def run_of(name: str, **changed: object) -> Pretrain:
    """A run of method ``name`` with the defaults of its section."""
    method = METHODS[name]
    given = {"method": name, "pairs": method.pairs[0], "augmentation": method.augmentations[0]}
    steps = {"steps": 100_000 if method.objective is not None else 0, "warmup_steps": 0}
    return Pretrain.model_validate({**given, **steps, "backbone": "resnet_small", **changed})


SIZES = Sizes(vocabulary=300, end=2, context=77, labels=4, vectors=24)


def batch_of(name: str) -> Batch:
    """A batch of four pairs with all that method ``name`` learns from."""
    views = torch.randn(len(METHODS[name].views), 4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    every = {
        "tokens": torch.arange(4 * 8).reshape(4, 8) % 298 + 2,
        "caption_ids": torch.tensor([0, 1, 2, 1]),
        "vectors": torch.randn(4, 24, generator=torch.Generator().manual_seed(1)),
        "labels": torch.arange(4),
    }
    return Batch(tuple(views), 1, **{signal: every[signal] for signal in METHODS[name].learns})


@pytest.mark.parametrize("name", METHODS)
def test_an_entry_is_complete(name: str) -> None:
    method = METHODS[name]
    assert method.summary and method.pairs and method.augmentations
    assert set(method.augmentations) <= AUGMENTATIONS.keys()
    assert method.by_arm == (method.pairs == ("caption",))
    assert method.labels == (method.pairs == ("labels",))
    if method.objective is None:
        assert (method.pairs, method.views, method.learns, method.passes) == (("none",), (), (), 0)
    else:
        assert method.views and method.passes > 0
        assert {view.augmentation for view in method.views} <= {None, *AUGMENTATIONS}
        assert issubclass(method.objective.settings, LabelSettings) == method.labels
        properties = method.objective.settings.model_json_schema().get("properties", {})
        assert all(setting.get("description") for setting in properties.values())
        assert HEADS[name] is method.objective.settings
    assert Pretrain.model_fields["method"].description.endswith(listed(METHODS))  # type: ignore[union-attr]


@pytest.mark.parametrize("name", TRAINED)
def test_the_loss_reaches_every_weight_and_the_seed_decides_them(name: str) -> None:
    run = run_of(name, **{name: HEADS_OF_TESTS[name]})
    made = []
    for _ in range(2):
        network = build_network(run, SIZES)
        loss = network(batch_of(name))
        assert loss.shape == () and loss.isfinite()
        loss.backward()
        assert not [path for path, weight in network.named_parameters() if weight.grad is None]
        made.append(network.state_dict())
    assert all(torch.equal(made[1][key], value) for key, value in made[0].items())


@pytest.mark.parametrize("name", TRAINED)
def test_in_mixed_precision_the_loss_of_equal_outputs_and_what_is_remembered_are_those_in_float32(name: str) -> None:
    network, batch = build_network(run_of(name, **{name: HEADS_OF_TESTS[name]}), SIZES), batch_of(name)
    start = {key: value.clone() for key, value in network.state_dict().items()}
    modules = [network.backbone, *network.heads.values()]
    outputs: list[torch.Tensor] = []
    hooks = [one.register_forward_hook(lambda _, __, output: outputs.append(output.float())) for one in modules]
    with torch.autocast("cpu", torch.bfloat16):
        mixed = network(batch)
    mixed.backward()
    assert mixed.dtype == torch.float32 and mixed.isfinite() and outputs
    assert {tensor.dtype for tensor in network.state_dict().values()} <= {torch.float32, torch.int64}
    assert any(torch.equal(one, one.bfloat16().float()) for one in outputs)  # they were computed in 16 bits
    network.load_state_dict(start)
    for hook in hooks:
        hook.remove()
    given = iter(outputs)
    for module in modules:
        module.register_forward_hook(lambda _, __, output: next(given))
    assert network(batch).item() == pytest.approx(mixed.item(), rel=1e-6)


def test_mixed_precision_reaches_the_embeddings_and_not_the_loss() -> None:
    seen = []

    def embed(network: Network, batch: Batch) -> tuple[torch.Tensor, ...]:
        return (network.heads["head"](network.backbone(batch.views[0])),)

    def loss(network: Network, batch: Batch, rows: Sequence[torch.Tensor]) -> torch.Tensor:
        seen.append((rows[0].dtype, (rows[0] @ rows[0].T).dtype))
        return rows[0].sum()

    network = Network(torch.nn.Linear(8, 8), {"head": torch.nn.Linear(8, 2)}, embed, loss)
    batch = Batch((torch.randn(4, 8),), 1)
    exact = network(batch)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = network(batch)
        assert (batch.views[0] @ batch.views[0].T).dtype == torch.bfloat16
    assert seen == [(torch.float32, torch.float32)] * 2
    assert 1e-6 < abs(rounded.item() / exact.item() - 1) < 0.1
    assert network(batch).item() == exact.item()


def test_a_runs_settings_hold_no_section_of_another_method() -> None:
    for name in METHODS:
        run = run_of(name)
        assert set(run.model_dump()) & HEADS.keys() == ({name} if name in TRAINED else set())
        assert Pretrain.model_validate(run.model_dump(mode="json")) == run
        assert (run.trains, run.head) == (name in TRAINED, HEADS[name]() if name in TRAINED else None)


def test_pairs_and_augmentations_that_a_method_does_not_take_are_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValidationError, match="method clip goes with pairs of kind caption, not with language"):
        run_of("clip", pairs="language")
    monkeypatch.setitem(METHODS, "simclr", replace(METHODS["simclr"], augmentations=("crop",)))
    with pytest.raises(ValidationError, match="method simclr goes with augmentation crop, not with none"):
        run_of("simclr", augmentation="none")


def test_an_unknown_method_is_an_error_that_lists_the_choices() -> None:
    *names, last = (f"'{name}'" for name in METHODS)
    with pytest.raises(ValidationError, match=f"Input should be {', '.join(names)} or {last}"):
        Pretrain.model_validate({"method": "simsim", "pairs": "self", "augmentation": "crop"})
