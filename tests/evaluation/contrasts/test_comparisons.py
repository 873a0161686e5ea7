"""Which runs are weighed against which."""

from typing import Any

import pytest
from pydantic import ValidationError

from tests.evaluation.study import run
from workflow_scripts.evaluation.contrasts.comparisons import (
    Comparison,
    checkpoints,
    common_seeds,
    comparisons,
    planned,
)
from workflow_scripts.evaluation.contrasts.settings import Contrast, SummaryRun, Term
from workflow_scripts.evaluation.contrasts.standard import standard


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
    cells = [weight for weight, _ in Contrast(name="x", terms=terms).cells]
    assert abs(sum(cells)) < 1e-15 and cells == pytest.approx(weights) and cells[3] == 0
    exact = Contrast(name="x", terms=(Term(weight=0.1, pairs="a"), Term(weight=-0.1, pairs="b")))
    assert exact.cells == tuple((term.weight, term) for term in exact.terms)


def test_checkpoints_are_named_by_the_sign_of_their_weight() -> None:
    terms = tuple(Term(weight=weight, pairs=pairs) for weight, pairs in ((0.5, "a"), (-1, "b"), (0.5, "c"), (0, "d")))
    (row,) = found(Contrast(name="x", terms=terms), *arms(*((pairs, "crop") for pairs in "abcd")))
    named = {run.pairs: f"{run.run}.last" for side in row.sides for run in side.runs}
    assert checkpoints(row.sides) == {"plus": f"{named['a']} {named['c']}", "minus": named["b"]}


def test_weights_are_those_of_runs_up_to_rounding() -> None:
    """A third with nine digits, less a third, is nothing: it has no sign to compare."""

    def weights(third: float) -> frozenset[tuple[str, str, float]]:
        cells = (third, "a"), (-1 / 3, "a"), (1, "b"), (-1, "c")
        terms = tuple(Term(weight=weight, pairs=pairs) for weight, pairs in cells)
        (row,) = found(Contrast(name="x", terms=terms), *(run("simclr", p, "crop", s) for p in "abc" for s in (0, 1)))
        return row.weights()

    runs = {pairs: [run("simclr", pairs, "crop", seed)["run"] for seed in (0, 1)] for pairs in "abc"}
    exact = {
        (name, "last", of[pairs]) for of in [{"a": 0, "b": 0.5, "c": -0.5}] for pairs in of for name in runs[pairs]
    }
    assert weights(1 / 3) == weights(0.333333333) == exact


def test_terms_per_augmentation_are_not_compared_across_augmentations() -> None:
    cells = arms(("a", "crop"), ("b", "simclr"))
    (across,) = found(SHORT.model_copy(update={"per": ("augmentation",)}), *cells)
    assert across.augmentation == "crop vs simclr"
    terms = Term(weight=1, pairs="a"), Term(weight=-1, pairs="b")
    assert found(Contrast(name="a - b", terms=terms, per=("augmentation",)), *cells) == []


def test_seeds_are_those_of_every_kind_of_run() -> None:
    given = [run("simclr", "a", augmentation, seed) for augmentation in ("crop", "simclr") for seed in (0, 1, 2)]
    given += [run("simclr", "b", "crop", seed) for seed in (1, 2, 3)]
    terms = Term(weight=1, pairs="a"), Term(weight=-1, pairs="b", augmentation="crop")
    (one,) = found(Contrast(name="a - b", terms=terms, per=("method",)), *given)
    assert common_seeds(one.sides) == [1, 2] and sum(len(side.runs) for side in one.sides[::2]) == 6


def test_a_contrast_per_nothing_is_the_mean_over_the_cells_that_all_terms_have() -> None:
    cells = [("simclr", "crop"), ("simclr", "simclr"), ("simsiam", "crop")]
    given = [run(method, pairs, one, seed) for method, one in cells for pairs in ("a", "b") for seed in (0, 1)]
    given += [run("clip", "a", "crop", seed) for seed in (0, 1)]  # without a counterpart
    (mean,) = found(SHORT.model_copy(update={"per": ()}), *given)
    assert (mean.method, mean.augmentation) == ("simclr and simsiam", "crop and simclr")
    parts = {(s.runs[0].method, s.runs[0].augmentation, s.runs[0].pairs): s.weight for s in mean.sides}
    assert parts == {(*cell, pairs): sign / 3 for cell in cells for pairs, sign in (("a", 1), ("b", -1))}
    assert [one.method for one in found(SHORT.model_copy(update={"per": ("method",)}), *given)] == ["simclr", "simsiam"]


def test_a_mean_over_methods_compares_budgets_within_methods() -> None:
    views = {"simclr": 2, "clip": 1}
    given = [
        {**run(method, pairs, "crop", 0), "batch_size": 8, "trained_steps": 10, "views_per_pair": count}
        for method, count in views.items()
        for pairs in ("a", "b")
    ]
    (mean,) = found(SHORT.model_copy(update={"per": ()}), *given)
    assert mean.unequal == () and mean.method == "clip and simclr"


def test_what_must_be_equal_is_stated() -> None:
    def unequal(second: dict[str, int], **stated: Any) -> tuple[str, ...]:
        budget = {"batch_size": 8, "trained_steps": 10, "views_per_pair": 2}
        (one,) = found(
            SHORT.model_copy(update=stated), *arms(("a", "crop"), **budget), *arms(("b", "crop"), **budget | second)
        )
        return one.unequal

    assert unequal({"views_per_pair": 1}) == ("budget",)
    assert unequal({"views_per_pair": 1}, compare_at="images") == ()
    assert unequal({"trained_steps": 20, "batch_size": 4}, compare_at="images", varies=("batch_size",)) == ()
    assert unequal({"trained_steps": 20}, compare_at="images") == unequal({"trained_steps": 20}, compare_at="steps")
    assert unequal({"trained_steps": 20}, varies=("budget",)) == ()
    assert unequal({"trained_steps": 20, "batch_size": 4}, varies=("budget",)) == ("batch size",)


def test_a_primary_contrast_is_one_mean_judged_at_the_first_step() -> None:
    given = [
        run(method, pairs, "crop", 0, ["last", "best"]) for method in ("simclr", "simsiam") for pairs in ("a", "b")
    ]
    rows = found(SHORT.model_copy(update={"primary": True}), *given)
    assert [(one.method, one.step, one.primary) for one in rows] == [
        ("simclr and simsiam", "last", "declared"),
        ("simclr and simsiam", "best", ""),
    ]


def of_a_study(*listed: Contrast, pairs: tuple[str, ...] = ("original", "revised")) -> list[tuple[str, str, str]]:
    """Name, method and kind of primary of the comparisons of two methods with these pairs."""
    runs = [{**run(method, one, "crop", 0), "role": "language"} for method in ("simclr", "simsiam") for one in pairs]
    given = summarised(*runs)
    return [(one.contrast.name, one.method, one.primary) for one in planned(listed, standard(given), given)]


def test_the_default_primary_contrast() -> None:
    listed = Contrast(name="gain", minuend="b", subtrahend="a")
    assert of_a_study(listed, pairs=("a", "b"))[:2] == [
        ("gain", "simclr and simsiam", "default"),
        ("gain", "simclr", ""),
    ]
    assert of_a_study()[:2] == [
        ("revised - original", "simclr and simsiam", "default"),
        ("revised - original", "simclr", ""),
    ]
    assert of_a_study(pairs=("titles", "human", "c"))[0] == ("human - titles", "simclr and simsiam", "default")
    assert not any(primary for *_, primary in of_a_study(pairs=("a",)))
    declared = listed.model_copy(update={"primary": True})
    other = Contrast(name="first", minuend="a", subtrahend="b")
    assert [one for one in of_a_study(other, declared, pairs=("a", "b")) if one[2]] == [
        ("gain", "simclr and simsiam", "declared")
    ]


def test_a_listed_contrast_replaces_the_standard_one_that_it_equals() -> None:
    same = Contrast(name="gain", minuend="revised", subtrahend="original")
    assert {name for name, *_ in of_a_study(same)} == {"gain"}
    reversed_ = Contrast(name="loss", minuend="original", subtrahend="revised", expected=-1)
    assert {name for name, *_ in of_a_study(reversed_)} == {"loss"}
    renamed = Contrast(name="revised - original", minuend="original", subtrahend="revised", expected=-1)
    assert {name for name, *_ in of_a_study(renamed)} == {"revised - original"}
    assert len(of_a_study(renamed)) == 3, "the mean over both methods, and each of them"


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
        ({"minuend": "a", "subtrahend": "b", "primary": True, "per": ["method"]}, "a primary contrast is one mean"),
        ({"minuend": "a", "subtrahend": "b", "test": "equivalence"}, "equivalence needs a margin"),
        ({"minuend": "a", "subtrahend": "b", "margin": 1.0}, "equivalence needs a margin, and only it has one"),
        ({"minuend": "a", "subtrahend": "b", "test": "slope"}, "at least two values of at"),
        ({"terms": [{"at": 0, "pairs": "a"}, {"at": 1, "pairs": "b"}]}, "with test difference, each term has weight"),
        (
            {"test": "slope", "terms": [{"weight": 1, "pairs": "a"}, {"weight": -1, "pairs": "b"}]},
            "with test slope, each term has at, and none has weight",
        ),
    ],
)
def test_bad_contrasts_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Contrast.model_validate({"name": "x", **given})
