"""Which standard contrasts a study has, and their weights."""

from typing import Any

import numpy as np
import pytest

from tests.evaluation.study import run
from workflow_scripts.evaluation.contrasts.comparisons import comparisons
from workflow_scripts.evaluation.contrasts.settings import Contrast, SummaryRun
from workflow_scripts.evaluation.contrasts.standard import standard

ROLES = {"original": "language", "revised": "language", "self": "self", "shuffled": "shuffled", "visual": "visual"}


def runs(*cells: tuple[str, str, str], **more: Any) -> list[SummaryRun]:
    return [SummaryRun.model_validate({**run(*cell, 0), "role": ROLES.get(cell[1], cell[0]), **more}) for cell in cells]


def names(found: tuple[Contrast, ...]) -> set[str]:
    return {one.name for one in found}


def weights(found: tuple[Contrast, ...], name: str) -> dict[tuple[str | None, str | None], float]:
    (one,) = [one for one in found if one.name == name]
    return {(term.pairs, term.augmentation): term.weight for term in one.terms}


FOUR = [("simclr", pairs, augmentation) for pairs in ("original", "self") for augmentation in ("crop", "simclr")]


def test_each_method_and_language_table_has_the_contrast_of_the_paper() -> None:
    given = runs(
        ("simclr", "self", "simclr"), ("simclr", "original", "crop"), ("simclr", "revised", "crop"),
        ("simsiam", "self", "simclr"), ("simsiam", "original", "crop"), ("clip", "original", "crop"),
    )  # fmt: skip
    found = [one for one in standard(given) if one.name.endswith("(crop) - self (simclr)")]
    assert [(one.name.split()[0], one.terms[0].method) for one in found] == [
        ("original", "simclr"),
        ("original", "simsiam"),
        ("revised", "simclr"),
    ]
    (row, *_) = comparisons(found, given)
    assert row.augmentation == "crop vs simclr" and row.contrast.expected == 1


def test_main_effects_and_interaction() -> None:
    found = standard(runs(*FOUR))
    assert weights(found, "original - self") == {
        ("original", "crop"): 0.5, ("self", "crop"): -0.5, ("original", "simclr"): 0.5, ("self", "simclr"): -0.5,
    }  # fmt: skip
    assert weights(found, "simclr - crop (original and self)") == {
        ("original", "simclr"): 0.5, ("original", "crop"): -0.5, ("self", "simclr"): 0.5, ("self", "crop"): -0.5,
    }  # fmt: skip
    assert weights(found, "(original - self) by (crop - simclr)") == {
        ("original", "crop"): 1, ("self", "crop"): -1, ("original", "simclr"): -1, ("self", "simclr"): 1,
    }  # fmt: skip
    three = standard(runs(*FOUR[:3]))  # self pairs with a crop only
    assert weights(three, "original - self") == {("original", "crop"): 1, ("self", "crop"): -1}
    assert not any("by" in name or "and self" in name for name in names(three))


def test_standard_contrasts_with_controls_and_references() -> None:
    given = runs(
        ("simclr", "original", "crop"), ("simclr", "revised", "crop"), ("simclr", "shuffled", "crop"),
        ("simclr", "visual", "crop"), ("untrained", "none", "none"), ("supervised", "labels", "crop"),
    )  # fmt: skip
    found = {one.name: one for one in standard(given)}
    assert found.keys() == {
        "revised - original", "original - shuffled", "revised - shuffled", "original - untrained",
        "revised - untrained", "original - supervised", "revised - supervised", "original - visual", "revised - visual",
    }  # fmt: skip
    assert {name for name, one in found.items() if one.expected == -1} == {
        "original - supervised",
        "revised - supervised",
    }
    (row,) = comparisons([found["revised - untrained"]], given)
    assert [(side.weight, side.runs[0].pairs) for side in row.sides] == [(1, "revised"), (-1, "none")]


def test_language_pairs_are_expected_to_beat_each_control_but_the_labels() -> None:
    controls = ["shuffled", "random", "random in subreddit", "same_day", "oracle"]
    cells = [run("simclr", name, "crop", 0) | {"role": name} for name in controls]
    found = standard([*runs(("simclr", "original", "crop")), *map(SummaryRun.model_validate, cells)])
    expected = {contrast.name.partition(" - ")[2]: contrast.expected for contrast in found}
    assert expected.pop("oracle") == -1
    assert expected == dict.fromkeys(controls[:-1], 1)


def test_last_minus_peak_needs_both_checkpoints() -> None:
    (one,) = standard(runs(("simclr", "original", "crop"), steps=["last", "best"]))
    assert (one.name, one.expected) == ("last - peak (original)", -1)
    assert [(term.weight, term.step) for term in one.terms] == [(1, "last"), (-1, "best")]
    assert standard(runs(("simclr", "original", "crop"))) == ()


def test_the_slope_is_that_of_least_squares() -> None:
    doses = {"f0": 0.0, "f25": 0.25, "f100": 1.0}
    given = [one for name, dose in doses.items() for one in runs(("simclr", name, "crop"), role="mixed", dose=dose)]
    (one,) = standard(given)
    scores = np.array([0.3, 0.5, 0.4])
    total = sum(weight * score for (weight, _), score in zip(one.cells, scores, strict=True))
    assert total == pytest.approx(np.polyfit(list(doses.values()), scores, 1)[0])
    assert len(list(comparisons([one], given))) == 1


def test_a_slope_is_fitted_to_the_tables_of_its_augmentation_and_tag() -> None:
    tables = {"none": 0.0, "half": 0.5, "half-csls": 0.5, "all": 1.0}
    cells = [(name, "crop", "") for name in tables] + [(name, "simclr", "long") for name in ("none", "all")]
    cells += [("all", "simclr", "")]  # one share has no slope
    given = [
        one
        for pairs, augmentation, tag in cells
        for one in runs(("simclr", pairs, augmentation), role="mixed", dose=tables[pairs], tag=tag)
    ]
    first, second = comparisons(standard(given), given)
    assert [(one.augmentation, one.tag) for one in (first, second)] == [("crop", ""), ("simclr", "long")]
    assert [(side.runs[0].pairs, side.weight) for side in second.sides] == [("none", -1), ("all", 1)]
    scores = np.array([0.3, 0.5, 0.6, 0.4])
    total = sum(side.weight * score for side, score in zip(first.sides, scores, strict=True))
    assert total == pytest.approx(np.polyfit(list(tables.values()), scores, 1)[0])


def test_a_slope_is_over_the_tables_that_all_backbones_have() -> None:
    doses = {"none": 0.0, "half": 0.5, "all": 1.0}
    has = {"resnet18": doses, "resnet34": ("none", "all"), "resnet50": ("all",)}
    given = [
        one
        for backbone, names in has.items()
        for pairs in names
        for one in runs(("simclr", pairs, "crop"), role="mixed", dose=doses[pairs], backbone=backbone)
    ]
    found = list(comparisons(standard(given), given))
    assert [one.backbone for one in found] == ["resnet18", "resnet34"]
    assert all([side.runs[0].pairs for side in one.sides] == ["none", "all"] for one in found)


def test_each_tag_has_separate_rows() -> None:
    given = [*runs(*FOUR, tag="a"), *runs(*FOUR, tag="b"), *runs(("untrained", "none", "none"))]
    found = list(comparisons(standard(given), given))
    assert {one.tag for one in found if one.contrast.name == "original - self"} == {"a", "b"}
    assert {one.tag for one in found if one.contrast.name == "original - untrained"} == {
        "a vs untagged",
        "b vs untagged",
    }


def of_arms(*cells: tuple[str, str, str, str], **more: Any) -> list[SummaryRun]:
    """Runs with these pairs, arms, encoders and what is alike."""
    return [
        one
        for pairs, arm, encoder, alike in cells
        for one in runs(("simclr", pairs, "crop"), role="language", arm=arm, encoder=encoder, alike=alike, **more)
    ]


def test_arms_and_encoders_are_compared_pairwise_where_nothing_else_differs() -> None:
    given = of_arms(
        ("mine", "mine", "mpnet", "mine"), ("yours", "yours", "mpnet", "mine"), ("third", "third", "mpnet", "mine"),
        ("clip", "mine", "clip", "mine"),  # another encoder
        ("csls", "mine", "mpnet", "csls"),  # other settings
        ("shuffled", "shuffled", "mpnet", ""),  # a control
    )  # fmt: skip
    assert names(standard(given)) == {"yours - mine", "third - mine", "third - yours", "clip - mine"}


def test_arms_without_runs_that_are_otherwise_alike_are_not_compared() -> None:
    mine, yours = of_arms(("mine", "mine", "mpnet", "mine")), ("yours", "yours", "mpnet", "mine")
    assert standard([*mine, *of_arms(yours, backbone="resnet50")]) == ()
    assert names(standard([*mine, *of_arms(yours)])) == {"yours - mine"}


def test_original_captions_are_subtracted_in_any_order_of_the_study() -> None:
    given = of_arms(*((arm, arm, "mpnet", "revised") for arm in ("revised", "original", "generated")))
    assert names(standard(given)) == {"revised - original", "generated - original", "generated - revised"}
