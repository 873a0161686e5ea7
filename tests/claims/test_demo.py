"""The claims' studies in the demo's world: valid, with the contrasts that the page reads, and runs in common."""

from typing import Any

import pytest

from tests.study.config.configs import ROOT, planned
from workflow_scripts.study.units import Units

SLOPE = "slope over the share of faithful captions"
PRIMARY = {
    "c1": ["generated - original", "original - shuffled"],
    "c2": ["revised - original", "revised - original (short)"],
    "c2-captioner75": ["revised - original"],
    "c2-captioner50": ["revised - original"],
    "c3": [SLOPE, f"{SLOPE} (short)", "no faithful captions - untrained"],
    "c3-cells": ["slope over precision", "slope over coverage", "precision by coverage"],
    "c4": ["later - earlier (language - self)", "later - earlier (language)"],
    "c5": ["purity over log2 of the dimensions", "accuracy over log2 of the dimensions"],
    "c6": ["orderings"],
    "c7": ["pairs (language - self)", "augmentation (simclr - crop)", "interaction"],
    "c8": ["flips (labels)", "flips (blip2)"],
}


def units_of(name: str) -> Units:
    folder = "profiles/claims/demo"
    return planned("profiles/demo/study.yaml", f"{folder}/base.yaml", f"{folder}/{name}.yaml")


def test_each_study_has_a_file() -> None:
    files = {path.stem for path in (ROOT / "profiles/claims/demo").glob("*.yaml")}
    assert files == {"base", *PRIMARY}


@pytest.mark.parametrize("name", PRIMARY)
def test_a_study_has_its_name_primary_contrasts_and_seeds(name: str) -> None:
    units = units_of(name)
    study = units.study
    assert study.study == f"claims-demo-{name}" and study.standard_contrasts == (name == "c2")
    assert [one.name for one in study.contrasts if one.primary] == PRIMARY[name]
    assert study.demo_world is not None and study.demo_world.seed == 7
    seeds = {run.settings.seed for run in units.trainings.values() if run.settings.trains}
    assert seeds == (set() if name in ("c1", "c8") else set(range(10, 15 if name in ("c3", "c6") else 13)))


def test_runs_of_the_same_name_are_the_same_in_all_studies_but_those_of_other_data() -> None:
    found: dict[str, dict[str, Any]] = {}
    studies: dict[str, set[str]] = {}
    for name in PRIMARY:
        units = units_of(name)
        for run in units.runs:
            settings = units.settings("pretrain", {"run": run})
            assert found.setdefault(run, settings) == settings, (name, run)
            studies.setdefault(run, set()).add(name)
    assert studies["simclr-revised-crop-resnet_small-s10"] >= {"c2", "c3", "c5", "c6", "c7"}
    assert studies["simclr-revised-crop-resnet_small-short-s10"] >= {"c2", "c3"}


def test_lines_over_the_shares_weigh_them_as_least_squares_does() -> None:
    contrasts = {one.name: one for one in units_of("c3").study.contrasts}
    at = {"faithful000": 0.0, "faithful025": 0.25, "faithful050": 0.5, "faithful075": 0.75, "revised": 1.0}
    for share, name in ((0.0, "0"), (0.5, "1/2"), (1.0, "1")):
        for suffix in ("", " (short)"):
            weights = {term.pairs: term.weight or 0.0 for term in contrasts[f"line at {name} - self{suffix}"].terms}
            expected = {pairs: 0.2 + (x - 0.5) * (share - 0.5) / 0.625 for pairs, x in at.items()}
            assert weights.pop("self") == -1
            assert {pairs: weights.get(pairs, 0.0) for pairs in at} == pytest.approx(expected)
