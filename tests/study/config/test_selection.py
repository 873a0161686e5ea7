"""Which checkpoints a probe set chooses, and what is left out for that."""

from typing import Any

import pytest

from tests.study.config.test_kept import units

SETS = [{"name": name, "kind": "world", "task": task} for name, task in (("concept", "concept"), ("scene", "scene"))]
BEST = {"evaluation": {"steps": ["last", "best", 2]}}


def chosen(**sections: Any) -> dict[str, dict[str, str]]:
    """Of each method, which of its evaluated checkpoints a reported set chose."""
    runs = units(**{"datasets": SETS, **BEST, **sections}).settings("summary", {})["runs"]
    return {run["method"]: run["chosen"] for run in runs}


def test_checkpoints_record_the_probe_set_that_chose_them() -> None:
    best = {"best": "concept"}
    assert chosen() == {"simclr": best, "simsiam": best, "clip": best, "untrained": {}}
    patient = {"method": "simclr", "pairs": "self", "augmentation": "crop", "set": {"patience": 2}}
    steps = {"evaluation": {"steps": ["best", "last"]}}
    assert chosen(runs=[patient], **steps)["simclr"] == {"best": "concept", "last": "concept"}


@pytest.mark.parametrize("kept_apart", [{"probe_dataset": "scene"}, {}])
def test_a_selection_only_set_is_read_but_not_evaluated(kept_apart: dict[str, Any]) -> None:
    name = kept_apart.get("probe_dataset", "concept")
    sets = [one | ({"evaluate": False} if one["name"] == name else {}) for one in SETS]
    study = units(datasets=sets, **BEST, **kept_apart)
    assert not any(chosen(datasets=sets, **kept_apart).values())
    assert study.names("eval_dataset") == ["concept", "scene"] and name not in study.reported
    assert study.evaluations and not any(one.endswith(f".{name}") for one in study.evaluations)
    assert study.read("pretrain", "probe", {"run": study.runs[0]}) == [f"eval_dataset/{name}"]
    assert "evaluate" not in study.settings("eval_dataset", {"dataset": name})


def test_masks_of_a_selection_only_set_are_not_scored() -> None:
    masks = {"name": "masks", "kind": "world", "task": "concept", "masks": True, "evaluate": False}
    study = units(datasets=[SETS[0], masks], probe_dataset="masks")
    assert study.names("saliency") == []


def test_evaluating_a_set_does_not_change_training_settings() -> None:
    trainings = [
        [study.settings("pretrain", {"run": run}) for run in study.runs]
        for study in (units(datasets=[one | {"evaluate": on} for one in SETS[:1]] + SETS[1:]) for on in (True, False))
    ]
    assert trainings[0] == trainings[1]
