"""Settings of a run: those that came after the first trainings leave their keys as they are."""

from typing import Any

import pytest
from pydantic import ValidationError

from tests.pretraining.test_methods import run_of
from tests.stages.test_pretrain import LANGUAGE
from workflow_scripts.pretraining.losses.contrastive import LARGEST_SCALE
from workflow_scripts.pretraining.methods import swav
from workflow_scripts.pretraining.settings import Pretrain

# What the key of a run with self pairs held before there were further settings.
FIRST = {
    "method",
    "pairs",
    "augmentation",
    "backbone",
    "image_size",
    "seed",
    "batch_size",
    "steps",
    "checkpoints",
    "lr",
    "final_lr",
    "warmup_steps",
    "weight_decay",
    "precision",
    "processes",
    "nodes",
    "probe",
    "patience",
    "log_every",
    "checkpoint_every",
    "cache_mb",
}
LATER = {"initial_lr": 1e-5, "norm_weight_decay": 0.01, "blur_kernel": 15, "blur": "old_kornia"}
SECTIONS = {
    "simclr": ({"projector", "temperature"}, {"joint_bn": False}),
    "simsiam": ({"projector", "predictor"}, {"final_affine": True}),
    "clip": ({"embedding", "text_width", "text_layers", "text_heads", "temperature"}, {"original_text": True}),
}


@pytest.mark.parametrize("name", SECTIONS)
def test_later_settings_enter_the_key_only_if_changed(name: str) -> None:
    first, later = SECTIONS[name]
    plain = run_of(name).model_dump(mode="json")
    assert (set(plain), set(plain[name])) == (FIRST | {name}, first)
    changed = run_of(name, **LATER, warmup_steps=10, **{name: later})
    dumped = changed.model_dump(mode="json")
    assert {key: dumped[key] for key in dumped.keys() - FIRST - {name}} == LATER
    assert {key: dumped[name][key] for key in dumped[name].keys() - first} == later
    assert Pretrain.model_validate(dumped) == changed


def test_a_run_without_blur_does_not_depend_on_how_it_is_made() -> None:
    plain = run_of("simclr", augmentation="crop")
    changed = run_of("simclr", augmentation="crop", blur_kernel=15, blur="old_kornia")
    assert plain.model_dump() == changed.model_dump()


@pytest.mark.parametrize(
    ("side", "message"),
    [
        (14, "14 is even; a kernel has a central pixel"),
        (1, "greater than or equal to 3"),
        (97, "blur_kernel 97 is too large for image_size 48"),
    ],
)
def test_kernels_that_no_blur_can_have_are_errors(side: int, message: str) -> None:
    assert run_of("simclr", image_size=48, blur_kernel=95).blur_kernel == 95
    with pytest.raises(ValidationError, match=message):
        run_of("simclr", image_size=48, blur_kernel=side)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"warmup_steps": 0}, "initial_lr is 1e-05, but the run has no warm-up"),
        ({"warmup_steps": 9, "lr": 1e-5, "batch_size": 256}, "above the peak 5e-06 of lr 1e-05 and batch_size 256"),
    ],
)
def test_a_warm_up_rises_from_the_initial_rate(settings: dict[str, float], message: str) -> None:
    run_of("simclr", initial_lr=1e-5, lr=1e-5, warmup_steps=9)
    run_of("simclr", initial_lr=1e-5, warmup_steps=None, warmup_epochs=0.5)
    with pytest.raises(ValidationError, match=message):
        run_of("simclr", initial_lr=1e-5, **settings)


def test_default_heads_have_the_widths_of_the_papers() -> None:
    base = {"pairs": "self", "augmentation": "simclr"}
    simclr = Pretrain.model_validate({**base, "method": "simclr"})
    assert simclr.simclr is not None and simclr.simclr.projector == (2048, 2048, 128) and simclr.simsiam is None
    simsiam = Pretrain.model_validate({**base, "method": "simsiam"})
    assert simsiam.simsiam is not None and simsiam.simsiam.projector == (2048,) * 3
    assert Pretrain.model_validate_json(simclr.model_dump_json()) == simclr


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"pairs": "caption"}, "simclr goes with pairs of kind self or language or visual, not with caption"),
        ({"pairs": "labels"}, "simclr goes with pairs of kind self or language or visual, not with labels"),
        ({"simsiam": {}}, "settings of simsiam given for method simclr"),
        ({"patience": 2}, "patience needs the online probe"),
        ({"checkpoints": [99]}, "checkpoint 99 is not among the run's steps, 1 to 3"),
        ({"checkpoints": [0]}, "greater than 0"),
        ({"checkpoints": "last"}, "checkpoints"),
        ({"checkpoints": {"log_spaced": 1}}, "log_spaced: Input should be greater than or equal to 2"),
        ({"checkpoints": {"spacing": 1}}, "spacing: Extra inputs are not permitted"),
        ({"warmup_steps": 3}, "warmup_steps is 3"),
        ({"steps": 0}, "steps is 0, but method simclr needs at least 1"),
        ({"unpaired": "keep"}, "Input should be 'drop' or 'self'"),
        ({"unpaired": "self", "pairs": "self"}, "goes with a pair table, but the pairs of this run are self"),
        ({"processes": 3}, "not a multiple of processes 3"),
        ({"probe": {"every": 9}}, "probe.every is 9"),
        ({"batchsize": 3}, "batchsize"),
        ({"lr": "fast"}, "lr"),
    ],
)
def test_invalid_settings_are_refused(changed: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        Pretrain.model_validate({**LANGUAGE, **changed})


def test_settings_of_steps_that_a_run_does_not_reach_are_errors() -> None:
    batches = {"batch_size": 64, "swav": {"frozen_steps": 5, "queue": 100, "queue_from": 7}}
    assert run_of("swav", steps=9, **batches).head == swav.SwavHead(**batches["swav"])
    with pytest.raises(ValidationError, match=r"swav\.frozen_steps is 5, but the run has 5 steps"):
        run_of("swav", steps=5, **batches)
    with pytest.raises(ValidationError, match=r"queue .* is 100, filled from step 7 .* in step 9, but the run has 8"):
        run_of("swav", steps=8, **batches)
    run_of("swav", steps=8, batch_size=64, swav={"frozen_steps": 7, "queue": 0, "queue_from": 99})


@pytest.mark.parametrize("name", ["clip", "clip_sbert", "declip_nn"])
def test_an_initial_temperature_that_the_bound_of_the_scale_would_replace_is_an_error(name: str) -> None:
    run_of(name, **{name: {"temperature": 1 / LARGEST_SCALE}})
    with pytest.raises(ValidationError, match=f"{name}.temperature\n  Input should be greater than or equal to 0.01"):
        run_of(name, **{name: {"temperature": 0.009}})
