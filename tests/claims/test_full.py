"""The claims at full scale: complete studies that share trainings with config.yaml and with one another."""

import re
from collections.abc import Iterable
from functools import cache
from typing import Any

import pytest

from tests.study.config.configs import ROOT, planned
from workflow_scripts.study.config.stages import declaration, facts
from workflow_scripts.study.estimates.cost import costs
from workflow_scripts.study.estimates.power import powers
from workflow_scripts.study.units import Units

FOLDER = ROOT / "profiles/claims/full"
SLOPE = "slope over the share of faithful captions"
PRIMARY = {
    "c1": ["generated - original", "original - shuffled"],
    "c2": ["revised - original", "revised - original (short)"],
    "c3": [SLOPE, f"{SLOPE} (short)", "no faithful captions - untrained"],
    "c4": ["later - earlier (language - self)", "later - earlier (language)"],
    "c5": ["accuracy over log2 of the dimensions"],  # purity of pairs needs labels
    "c6": ["orderings"],
    "c7": ["pairs (language - self)", "augmentation (simclr - crop)", "interaction"],
    "c8": ["flips (clip)", "flips (blip2)"],
}
TRAININGS = {  # of each, those beside config.yaml, and those beside config.yaml and the claims before
    "c1": (0, 0, 0),
    "c2": (24, 12, 12),
    "c3": (27, 21, 18),
    "c4": (36, 24, 15),
    "c5": (18, 18, 12),
    "c6": (18, 0, 0),
    "c7": (24, 12, 12),
    "c8": (0, 0, 0),
}


@cache
def claim(name: str) -> Units:
    return planned(f"profiles/claims/full/{name}.yaml")


@cache
def full() -> Units:
    return planned()


def trained(units: Units) -> set[str]:
    return {name for name, training in units.trainings.items() if training.settings.trains}


def made_from(units: Units, runs: Iterable[str]) -> dict[str, tuple[dict[str, Any], dict[str, str]]]:
    """Settings and sources of trainings, and of every artifact that they are made from."""
    found: dict[str, tuple[dict[str, Any], dict[str, str]]] = {}
    waiting = [f"pretrain/{run}" for run in runs]
    while waiting:
        label = waiting.pop()
        if label not in found:
            stage, name = label.split("/", 1)
            declared = declaration(stage)
            assert declared is not None
            unit = declared.unit_of(name)
            found[label] = units.settings(stage, unit), units.sources(stage, unit)
            waiting += [read for key in facts(stage).input_names for read in units.read(stage, key, unit)]
    return found


def test_each_claim_has_an_overlay() -> None:
    assert sorted(path.stem for path in FOLDER.iterdir()) == sorted(PRIMARY)


@pytest.mark.parametrize("name", PRIMARY)
def test_a_claim_is_a_study_with_its_primary_contrasts(name: str) -> None:
    study = claim(name).study
    assert study.study == f"claims-full-{name}"
    assert [one.name for one in study.contrasts if one.primary] == PRIMARY[name]
    assert not [power.reason for power in powers(claim(name)) if power.comparison.contrast.of_runs and power.reason]


def test_lines_of_c3_are_least_squares_lines_at_three_shares_minus_self() -> None:
    runs = {(one.run.pairs, one.run.tag) for one in claim("c3").trainings.values()}
    contrasts = {one.name: one for one in claim("c3").study.contrasts}
    shares = {"faithful000": 0.0, "faithful050": 0.5, "revised": 1.0}
    for tag, suffix in (("", ""), ("short", " (short)")):
        for at, share in (("0", 0.0), ("1/2", 0.5), ("1", 1.0)):
            terms = contrasts[f"line at {at} - self{suffix}"].terms
            assert all((term.pairs, term.tag) in runs and term.tag == tag for term in terms)
            weights = {term.pairs: term.weight for term in terms}
            line = {pairs: 1 / 3 + 2 * (share - 0.5) * (own - 0.5) for pairs, own in shares.items()}
            assert weights == pytest.approx(line | {"self": -1.0})


def test_claims_share_trainings_with_config_yaml_and_with_one_another() -> None:
    before, seen, made = trained(full()), trained(full()), made_from(full(), trained(full()))
    for name, expected in TRAININGS.items():
        runs = trained(claim(name))
        assert (len(runs), len(runs - before), len(runs - seen)) == expected, name
        seen |= runs
        own = made_from(claim(name), runs)
        assert {label: own[label] for label in own.keys() & made.keys()} == {
            label: made[label] for label in own.keys() & made.keys()
        }
        made |= own


def test_c2_has_the_runs_of_the_comparison_of_config_yaml() -> None:
    (primary,) = (one for one in full().study.contrasts if one.primary)
    compared = {
        name
        for name, training in full().trainings.items()
        if training.run.pairs in (primary.minuend, primary.subtrahend)
    }
    assert {name for name, one in claim("c2").trainings.items() if not one.run.tag} == compared
    assert len(compared) == 12


@pytest.mark.parametrize("name", [name for name, (number, *_) in TRAININGS.items() if number])
def test_comments_state_trainings_and_gpu_hours(name: str) -> None:
    text = re.sub(r"\n# ", " ", (FOLDER / f"{name}.yaml").read_text())
    stated = re.search(r"Cost: (\d+) trainings, (\d+) GPU hours", text)
    assert stated is not None
    hours = next(cost.gpu_hours for cost in costs(claim(name), 3_275_000) if cost.stage == "pretrain")
    assert [int(number) for number in stated.groups()] == [TRAININGS[name][0], round(hours)]
