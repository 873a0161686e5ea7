"""What is shown of contrasts."""

from tests.reporting.fake_study import contrast_rows
from workflow_scripts.reporting.sections.contrasts import Cited, Row, contrast_tables, named, none_named, titles
from workflow_scripts.reporting.sections.runs import common_classes
from workflow_scripts.reporting.study import Source

PROBE = "linear_probe.sklearn.accuracy"


def contrast(**more: object) -> Row:
    """A joint row."""
    head = {"contrast": "revised - original", "method": "simclr", "augmentation": "crop", "dataset": "mean", "tag": ""}
    numbers = {"difference": 0.05, "low": 0.01, "high": 0.09, "n": 3, "p": 0.01, "p_adjusted": 0.02, "detectable": 0.04}
    rest = {"metric": PROBE, "level": "joint", "step": "last", "backbone": "x", "expected": 1, "plus": "", "minus": ""}
    rest |= {"chosen_on": "", "primary": "declared", "arms": 0}
    return {**head, **numbers, **rest, "verdict": "supported", "reason": "", **more}


def test_shown_are_joint_rows_at_the_step_over_sets_or_of_the_only_set() -> None:
    found = named(contrast_rows(), "best")
    every = [one for contrast in found for one in contrast.shown]
    assert {one.row["step"] for one in every if not one.row["primary"]} == {"best"}
    for one in every:
        assert one.row["level"] == "joint"
        assert one.row["dataset"] == ("masks" if one.measure.title.startswith("Saliency") else "mean")
    (known,) = [one for one in found if one.name == "revised - original"]
    assert [one.measure.probe for one in known.shown if one.row["step"] == "best"] == [True, False, False] * 2


def test_contrasts_between_steps_are_always_shown() -> None:
    others = [contrast(step=step, contrast="b", primary="") for step in ("best", "step-000200")]
    (only,) = named([contrast(step="last vs best"), *others], "last")
    assert only.name == "revised - original"


def test_a_contrast_at_a_single_other_step_is_shown_with_that_step() -> None:
    (one,) = named([contrast(step="best", primary="")], "last")
    assert [shown.where for shown in one.shown] == ["simclr, crop, step best"]


def test_what_has_a_verdict_is_shown_at_its_own_step_too() -> None:
    (one,) = named([contrast(step="best"), contrast(primary=""), contrast(step="step-000200", primary="")], "last")
    assert [shown.where for shown in one.shown] == ["simclr, crop, step best", "simclr, crop"]


def test_why_no_primary_contrast_is_shown() -> None:
    others = [contrast(step=step, primary="") for step in ("best", "step-000200")]
    assert none_named(others, "last", True) == "This study has named contrasts, but none at step last."
    assert none_named([], "last", True) == "No runs of this study form a named contrast."
    assert "needs a labelled set under `datasets`" in none_named([], "last", False)
    assert none_named([contrast(primary="")], "last", True).startswith("No primary contrast was measured")


def test_comparisons_of_a_contrast_are_told_apart_by_what_differs() -> None:
    rows = [contrast(), contrast(backbone="y"), contrast(contrast="b - a")]
    assert [*titles(named(rows, "last")).values()] == [
        "revised − original (simclr, crop, x)", "revised − original (simclr, crop, y)", "b − a"
    ]  # fmt: skip


CITED = Cited(Source("a", "b", "c"), {"contrasts": [[0, 0]] * 9, "files": [{"file": "f"}]})


def test_contrasts_are_listed_by_name_and_by_set_and_those_without_interval_apart() -> None:
    rows = [
        contrast(contrast="x", primary="", verdict="exploratory"),
        contrast(),
        contrast(dataset="b", primary=""),
        contrast(dataset="a", primary=""),
        contrast(contrast="x", dataset="b", primary="", difference=0.0123),
        contrast(metric="linear_probe.lgssl.accuracy"),
        contrast(dataset="a", metric="linear_probe.lgssl.accuracy", primary=""),
        contrast(metric="knn.accuracy", primary="", verdict="exploratory", reason="why", low=None, high=None),
    ]
    found = contrast_tables(named(rows, "last"), CITED)
    by_name, by_set = found["by_name"]["table"], found["by_set"]["table"]
    # Primary contrasts first; those without an interval last, and only in the files.
    assert [(row[0], row[5]) for row in by_name.rows[1:]] == [
        ("revised − original", "[+1.0, +9.0]"), ("x", "[+1.0, +9.0]"), ("revised − original", "–")
    ]  # fmt: skip
    assert len(found["by_name"]["lines"]) == 3
    assert by_name.rows[0] == [
        "revised − original", "simclr, crop", "Linear probe, sklearn", "mean over sets", "+5.0", "[+1.0, +9.0]",
        "3 seeds", "0.010", "0.020", "4.0", "supported",
    ]  # fmt: skip
    assert [(row[3], row[0], row[4]) for row in by_set.rows] == [
        ("b", "x", "+1.2"), ("b", "revised − original", "+5.0"), ("a", "revised − original", "+5.0")
    ]  # fmt: skip
    (open_,) = found["open"]
    number = open_["number"]
    assert (open_["name"], open_["why"]) == ("revised − original", "exploratory, why")
    assert (number.text, number.interval) == ("+5.0", "")
    assert "row 7 (knn.accuracy, joint), made from 2 files: f, …" in number.title
    assert [row[3] for row in found["figure"].rows] == ["revised − original", "x"]


def test_contrasts_without_runs_are_shown_at_every_step_in_their_unit() -> None:
    none = {"method": "", "augmentation": "", "backbone": "", "dataset": "", "step": "", "level": "image", "n": 400}
    rows = [
        contrast(**none, contrast="purity", metric="pair_purity"),
        contrast(**none, contrast="captions", metric="caption_score.clip.cosine", difference=0.0123, low=-0.01,
                 primary="", verdict="exploratory"),
    ]  # fmt: skip
    first, second = named(rows, "last")
    assert second.shown[0].interval == "[−0.01, +0.09]" and second.shown[0].least == "0.04"
    found = contrast_tables([first, second], CITED)
    assert [row[6] for row in found["by_name"]["table"].rows] == ["400 images"] * 2
    assert [row[3] for row in found["figure"].rows] == ["purity: Pairs with the same label"]  # the other has no points


def test_common_classes_are_shown_with_their_other_names() -> None:
    found = {"car": {"cifar10": "automobile", "stl10": "car"}, "frog": {"cifar10": "frog", "pets": "frog"}}
    assert common_classes(found) == "car (cifar10: automobile), frog"
