"""Which runs are weighed against which."""

from typing import Any

import pytest
from pydantic import ValidationError

from tests.evaluation.study import run
from workflow_scripts.evaluation.contrasts.comparisons import Comparison, common_seeds, comparisons
from workflow_scripts.evaluation.contrasts.settings import Contrast, SummaryRun, Term


def summarised(*given: dict[str, Any]) -> list[SummaryRun]:
    return [SummaryRun.model_validate(one) for one in given]


def found(contrast: Contrast, *given: dict[str, Any]) -> list[Comparison]:
    return list(comparisons([contrast], summarised(*given)))


SHORT = Contrast(name="a - b", minuend="a", subtrahend="b")


def arms(*augmentations: tuple[str, str], **more: Any) -> list[dict[str, Any]]:
    return [{**run("simclr", pairs, augmentation, 0), **more} for pairs, augmentation in augmentations]


@pytest.mark.parametrize(
    ("cells", "labels"),
    [
        ([("a", "crop"), ("a", "simclr"), ("b", "simclr"), ("b", "crop")], ["crop", "simclr"]),
        ([("a", "crop"), ("a", "simclr"), ("b", "simclr")], ["simclr"]),
        ([("a", "crop"), ("b", "simclr")], ["crop vs simclr"]),
        ([("a", "crop")], []),
    ],
)
def test_the_short_form_prefers_the_same_augmentation(cells: list[tuple[str, str]], labels: list[str]) -> None:
    assert [one.augmentation for one in found(SHORT, *arms(*cells))] == labels


def test_methods_backbones_tags_and_steps_have_separate_rows() -> None:
    cells = ("a", "crop"), ("b", "crop")
    given = [
        *arms(*cells, steps=["last", "best"]),
        *arms(*cells, tag="long"),
        *arms(*cells, backbone="resnet34", steps=["best"]),
        {**run("simsiam", "a", "crop", 0)},
    ]
    assert [(one.method, one.tag, one.backbone, one.step) for one in found(SHORT, *given)] == [
        ("simclr", "", "", "last"),
        ("simclr", "", "", "best"),
        ("simclr", "long", "", "last"),
        ("simclr", "", "resnet34", "best"),
    ]


def test_a_tag_given_in_each_term_is_compared_across() -> None:
    terms = Term(weight=1, pairs="a", tag="long"), Term(weight=-1, pairs="a", tag="")
    (one,) = found(Contrast(name="long - short", terms=terms), *arms(("a", "crop")), *arms(("a", "crop"), tag="long"))
    assert one.tag == "long vs untagged" and [side.runs[0].tag for side in one.sides] == ["long", ""]


def test_steps_given_in_each_term() -> None:
    terms = Term(weight=1, pairs="a", step="last"), Term(weight=-1, pairs="a", step="best")
    (one,) = found(Contrast(name="last - peak", terms=terms), *arms(("a", "crop"), steps=["best", "last"]))
    assert one.step == "last vs best" and [side.step for side in one.sides] == ["last", "best"]
    assert found(Contrast(name="last - peak", terms=terms), *arms(("a", "crop"))) == []


def test_a_contrast_can_span_methods_per_augmentation() -> None:
    terms = (
        Term(weight=1, method="simclr", pairs="a"),
        Term(weight=-1, method="untrained", augmentation="none", step="last"),
    )
    contrast = Contrast(name="a - untrained", terms=terms, per=("augmentation", "backbone"))
    given = arms(("a", "crop"), ("a", "simclr"), steps=["best"])
    rows = found(contrast, *given, run("untrained", "none", "none", 0))
    assert [(one.method, one.augmentation, one.step) for one in rows] == [
        ("simclr vs untrained", "crop vs none", "best"),
        ("simclr vs untrained", "simclr vs none", "best"),
    ]


def test_labels_put_vs_between_positive_and_negative_terms() -> None:
    cells = [(pairs, augmentation) for pairs in ("a", "b") for augmentation in ("crop", "simclr")]

    def label(*signs: float) -> str:
        terms = [Term(weight=w, pairs=p, augmentation=one) for w, (p, one) in zip(signs, cells, strict=True)]
        (row,) = found(Contrast(name="x", terms=tuple(terms)), *arms(*cells))
        return row.augmentation

    assert label(0.5, 0.5, -0.5, -0.5) == "crop and simclr"  # pairs, over both augmentations
    assert label(0.5, -0.5, 0.5, -0.5) == "crop vs simclr"  # augmentation, over both pairs
    assert label(1, -1, -1, 1) == "crop and simclr"  # interaction
    assert label(0.5, 0.5, -1, 0) == "crop and simclr vs crop"


def test_rounding_residue_of_contrast_weights_is_removed() -> None:
    weights = (0.6666666667, -0.3333333333, -0.3333333333, 0)
    terms = tuple(Term(weight=one, pairs=str(at)) for at, one in enumerate(weights))
    cells = [term.weight for term in Contrast(name="x", terms=terms).cells]
    assert abs(sum(cells)) < 1e-15 and cells == pytest.approx(weights) and cells[3] == 0
    exact = Contrast(name="x", terms=(Term(weight=0.1, pairs="a"), Term(weight=-0.1, pairs="b")))
    assert exact.cells == exact.terms


def test_seeds_are_those_of_every_kind_of_run() -> None:
    given = [run("simclr", "a", augmentation, seed) for augmentation in ("crop", "simclr") for seed in (0, 1, 2)]
    given += [run("simclr", "b", "crop", seed) for seed in (1, 2, 3)]
    terms = Term(weight=1, pairs="a"), Term(weight=-1, pairs="b")
    (one,) = found(Contrast(name="a - b", terms=terms), *given)
    assert common_seeds(one.sides) == [1, 2] and len(one.sides[0].runs) == 6


def test_unequal_budgets_are_named_and_untrained_networks_have_none() -> None:
    budget = {"batch_size": 8, "trained_steps": 10, "views_per_pair": 2}
    (same,) = found(SHORT, *arms(("a", "crop"), ("b", "crop"), **budget))
    assert same.unequal == ()
    (other,) = found(
        SHORT, *arms(("a", "crop"), **budget), *arms(("b", "crop"), **{**budget, "batch_size": 4, "trained_steps": 20})
    )
    assert other.unequal == ("batch size",)  # the same number of views
    (other,) = found(SHORT, *arms(("a", "crop"), **budget), *arms(("b", "crop"), **{**budget, "views_per_pair": 1}))
    assert other.unequal == ("budget",)
    across = Contrast(name="a - b", minuend="a", subtrahend="b", per=("method",))
    (other,) = found(across, *arms(("a", "crop"), backbone="x", **budget), *arms(("b", "crop"), backbone="y", **budget))
    assert other.unequal == ("backbone",) and other.backbone == "x vs y"
    terms = Term(weight=1, pairs="a"), Term(weight=-1, method="untrained")
    floor = Contrast(name="a - untrained", terms=terms, per=())
    (other,) = found(floor, *arms(("a", "crop"), **budget), run("untrained", "none", "none", 0))
    assert other.unequal == ()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"terms": [{"weight": 1, "pairs": "a"}, {"weight": -0.5, "pairs": "b"}]},
            "add up to 0.5; they must add up to 0",
        ),
        ({"terms": [{"weight": 0, "pairs": "a"}]}, "not all be 0"),
        ({"minuend": "a"}, "either terms, or minuend and subtrahend"),
        ({}, "either terms, or minuend and subtrahend"),
        ({"minuend": "a", "subtrahend": "b", "terms": [{"weight": 0}]}, "either terms, or minuend and subtrahend"),
        ({"minuend": "a", "subtrahend": "b", "expected": 0}, "expected"),
    ],
)
def test_bad_contrasts_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Contrast.model_validate({"name": "x", **given})
