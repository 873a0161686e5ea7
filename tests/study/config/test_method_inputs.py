"""What a run of each kind of method reads, and what a config may ask of it."""

from typing import Any

import pytest

from tests.study.config.configs import planned
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.study.units import Units

TABLES = [
    {"name": "near", "arm": "original", "encoder": "minilm", "k": 1, "scope": "global"},
    {"name": "visual", "encoder": "blip2", "k": 1, "scope": "global"},
]


def units(*runs: dict[str, Any]) -> Units:
    """The small study with these runs, and these pair tables."""
    change = {"runs": list(runs), "pairs": TABLES, "contrasts": []}
    return planned("tests/config/tiny.yaml", change=change)


def read(study: Units) -> dict[str, tuple[str, ...]]:
    """Method -> artifacts that its pairs and tokens come from."""
    found = {}
    for run in study.runs:
        paths = (*study.read("pretrain", "pairs", {"run": run}), *study.read("pretrain", "tokens", {"run": run}))
        found[study.trainings[run].settings.method] = paths
    return found


def test_captions_are_those_of_the_runs_arm_or_of_its_pair_tables_arm() -> None:
    study = units(
        {"method": "slip", "pairs": "mixed", "augmentation": "crop"},
        {"method": "declip_nn", "pairs": "mixed", "augmentation": "crop"},
        {"method": "lgslip", "pairs": "near", "augmentation": "crop"},
        {"method": "nnclr", "pairs": "near", "augmentation": "crop"},
        {"method": "swav", "pairs": "self", "augmentation": "simclr", "set": {"swav": {"frozen_steps": 2, "queue": 0}}},
    )
    assert read(study) == {
        "slip": ("tokens/mixed",),
        "declip_nn": ("tokens/mixed",),
        "lgslip": ("pair_table/near", "tokens/original"),
        "nnclr": ("pair_table/near",),
        "swav": (),
    }


@pytest.mark.parametrize(
    ("run", "message"),
    [
        ({"method": "slip", "pairs": "near"}, "unknown arm in config.runs.0.pairs: near"),
        ({"method": "lgslip", "pairs": "mixed"}, "unknown pair table in config.runs.0.pairs: mixed"),
        ({"method": "lgslip", "pairs": "visual"}, "method lgslip goes with pairs of kind language, not with visual"),
        ({"method": "swav", "pairs": "none"}, "goes with pairs of kind self or language or visual, not with none"),
        (
            {"method": "swav", "pairs": "self", "set": {"swav": {"prototypes": 1}}},
            "config.runs.0.set.swav.prototypes: 1",
        ),
        ({"method": "nnclr", "pairs": "self", "set": {"nnclr": {"queue": 0}}}, "config.runs.0.set.nnclr.queue: 0"),
    ],
)
def test_inputs_that_a_method_does_not_accept_are_an_error(run: dict[str, Any], message: str) -> None:
    with pytest.raises(PipelineError) as refused:
        units({"augmentation": "crop", **run})
    assert message in str(refused.value)


def test_blur_is_a_setting_of_runs_some_of_whose_views_are_blurred() -> None:
    blurred = {"augmentation": "crop", "pairs": "mixed", "set": {"blur_kernel": 5}}
    (run,) = units({"method": "slip", **blurred}).runs
    assert units({"method": "slip", **blurred}).settings("pretrain", {"run": run})["blur_kernel"] == 5
