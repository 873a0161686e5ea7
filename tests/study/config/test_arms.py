"""Arms that start from other arms."""

from typing import Any

import pytest

from tests.study.config.configs import merged
from workflow_scripts.core.errors import PipelineErrors
from workflow_scripts.study.config.study import load_study
from workflow_scripts.study.units import Units

FILE = {"name": "mine", "kind": "external", "table": "mine.csv"}


def shuffled(name: str, base: str) -> dict[str, Any]:
    return {"name": name, "kind": "shuffled", "base": base}


def study_with(*arms: dict[str, Any]) -> Units:
    """config.yaml, whose arms are original, generated, revised and shuffled, with more arms."""
    config = merged()
    config["arms"] += arms
    return Units(load_study(config))


def read_by(units: Units, arm: str) -> list[str]:
    return [name.removeprefix("select_captions/") for name in units.read("select_captions", "arms", {"arm": arm})]


def test_an_arm_reads_the_arm_that_it_names() -> None:
    units = study_with(shuffled("second", "half"), {"name": "half", "kind": "mixed", "base": "mine"}, FILE)
    read = {arm: read_by(units, arm) for arm in units.arms}
    assert read == {
        **{"original": [], "generated": [], "revised": [], "shuffled": ["original"]},
        **{"second": ["half"], "half": ["mine"], "mine": []},
    }
    assert units.settings("select_captions", {"arm": "half"})["base"] == "mine"


def test_a_base_is_original_unless_named() -> None:
    assert read_by(study_with({"name": "s", "kind": "shuffled"}), "s") == ["original"]
    message = r"unknown arm in config.arms.0.base: original; choose from mine, s \("
    with pytest.raises(PipelineErrors, match=message):
        load_study(merged() | {"arms": [{"name": "s", "kind": "shuffled"}, FILE]})


def test_each_cycle_is_an_error_that_names_it() -> None:
    bases = {"a": "c", "b": "a", "c": "b", "d": "a", "e": "e"}
    with pytest.raises(PipelineErrors) as caught:
        study_with(*(shuffled(*one) for one in bases.items()))
    found = [error for error in caught.value.errors if error.what == "arms that start from each other"]
    long, itself = (str(error.value).split(" > ") for error in found)
    assert itself == ["e", "e"]
    assert long[0] == long[-1] and sorted(long[1:]) == ["a", "b", "c"]
    assert [bases[arm] for arm in long[:-1]] == long[1:]
    assert [error.where for error in found] == [f"config.arms.{4 + 'abc'.index(long[0])}.base", "config.arms.8.base"]
