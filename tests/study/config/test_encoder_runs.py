"""Encoders that are runs of the study, and what each kind needs."""

from typing import Any

import pytest

from tests.study.config.configs import planned
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.study.units import Units

SIMCLR, CLIP = "simclr-self-simclr-resnet34-s0", "clip-original-crop-resnet34-s0"
NETWORK: dict[str, Any] = {"name": "network", "kind": "run", "run": SIMCLR}
TOWER: dict[str, Any] = {"name": "tower", "kind": "run", "run": CLIP}
MPNET = {"name": "mpnet", "source": "mpnet"}
RUNS = [
    {"method": "simclr", "pairs": "self", "augmentation": "simclr"},
    {"method": "clip", "pairs": "original", "augmentation": "crop"},
    {"method": "simclr", "pairs": "by_image", "augmentation": "crop"},
    {"method": "simclr", "pairs": "by_caption", "augmentation": "crop"},
]
PAIRS = [{"name": "by_image", "encoder": "network"}, {"name": "by_caption", "arm": "original", "encoder": "tower"}]


def units(image: dict[str, Any] | None = None, text: dict[str, Any] | None = None, **changes: Any) -> Units:
    """Units of config.yaml with pairs by a network and by a text tower of its runs."""
    encoders = {"image_encoders": [{**NETWORK, **(image or {})}], "text_encoders": [MPNET, {**TOWER, **(text or {})}]}
    study = {**encoders, "pairs": PAIRS, "runs": RUNS, "contrasts": [], "pair_quality": {"image_encoder": None}}
    return planned(change={**study, **changes})


def test_pairs_depend_on_the_run_that_embeds_them() -> None:
    made = units()
    assert made.encoder_run("network") == [f"pretrain/{SIMCLR}"] and made.encoder_run("tower") == [f"pretrain/{CLIP}"]
    assert made.encoder_run("mpnet") == made.read("embed_captions", "tokenizer", {"encoder": "mpnet"}) == []
    assert made.read("embed_captions", "tokenizer", {"encoder": "tower"}) == ["tokenizer/tokenizer"]
    settings = made.settings("embed_images", {"encoder": "network"})
    assert settings["weights"] == "last"
    assert settings["view"] == {"size": 224, "side": 224, "resize": "bilinear"}
    assert "encoder-network" not in made.sources_by_name and "encoder-tower" not in made.sources_by_name


def test_settings_of_evaluation_do_not_change_pairs() -> None:
    evaluation = {"steps": ["last"], "resize": "bicubic", "crop": 0.875}
    unit = {"encoder": "network"}
    assert units(evaluation=evaluation).settings("embed_images", unit) == units().settings("embed_images", unit)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image": {"run": None}}, "missing run in config.image_encoders.0.run: null; kind run needs one"),
        ({"image": {"source": "x"}}, "unused source in config.image_encoders.0.source: x; remove it; kind run"),
        (
            {"text": {"kind": "clip", "source": "x"}},
            f"unused run in config.text_encoders.1.run: {CLIP}; remove it; kind clip has none",
        ),
        (
            {"image": {"weights": "../x"}},
            "unused setting in config.image_encoders.0.weights: ../x; remove it; the workflow sets it",
        ),
        (
            {"image": {"view": {"size": 64, "side": 64, "resize": "bilinear"}}},
            "unused setting in config.image_encoders.0.view",
        ),
        ({"image": {"run": "simclr-self"}}, "unknown run in config.image_encoders.0.run: simclr-self"),
        (
            {"text": {"run": SIMCLR}},
            f"run without text tower in config.text_encoders.1.run: {SIMCLR}, of method simclr; name a run of one",
        ),
        (
            {"image": {"run": "simclr-by_image-crop-resnet34-s0"}},
            "run whose pairs come from itself in config.image_encoders.0.run: simclr-by_image-crop-resnet34-s0",
        ),
        (
            {"common_images": True},
            f"run whose pairs come from itself in config.text_encoders.1.run: {CLIP}; name a run whose pairs do not",
        ),
        (
            {"judges": [{"name": "j", "kind": "agreement", "encoder": "tower", "reference": "original"}]},
            "text encoder unfit for a judge in config.judges.0.encoder: tower, of kind run; name a text encoder of",
        ),
    ],
)
def test_config_mistakes_are_reported(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(PipelineError) as mistake:
        units(**changes)
    assert message in str(mistake.value)


def test_two_runs_cannot_wait_for_each_other() -> None:
    both = [*RUNS[:2], {"method": "lgslip", "pairs": "by_caption", "augmentation": "crop"}, RUNS[2]]
    pairs = [PAIRS[1], {"name": "by_image", "encoder": "network"}]
    image, text = {"run": "lgslip-by_caption-crop-resnet34-s0"}, {"run": "lgslip-by_caption-crop-resnet34-s0"}
    with pytest.raises(PipelineError) as mistake:
        units(image, text, runs=both, pairs=pairs)
    assert "run whose pairs come from itself in config.text_encoders.1.run" in str(mistake.value)
