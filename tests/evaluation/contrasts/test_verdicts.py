"""The rule of docs/statistics.md, step by step."""

import pytest

from workflow_scripts.evaluation.contrasts.verdicts import MAY_MATTER, Verdict, agreed, exploratory, verdict


@pytest.mark.parametrize(
    ("difference", "expected", "p", "unequal", "said"),
    [
        (0.1, 1, 0.01, (), "supported"),
        (0.1, -1, 0.01, (), "contradicted"),
        (-0.1, 1, 0.01, (), "contradicted"),
        (-0.1, -1, 0.01, (), "supported"),
        (0.1, 1, 0.05, (), "inconclusive"),
        (0.1, 1, 0.9, (), "inconclusive"),
        (0.1, 1, None, (), "inconclusive"),
        (0.1, 1, 0.01, ("budget",), "not comparable"),
        (0.1, 1, None, ("backbone",), "not comparable"),
    ],
)
def test_the_verdict_of_a_single_metric_follows_direction_and_p_value(
    difference: float, expected: int, p: float | None, unequal: tuple[str, ...], said: str
) -> None:
    assert verdict(difference * expected > 0, p, unequal, 4).verdict == said


def test_verdicts_give_their_reason() -> None:
    assert verdict(True, 0.01, ("budget", "batch size"), 4).reason == "different budget and batch size"
    assert "three seeds" in verdict(True, None, (), 4).reason
    assert verdict(True, 0.01, (), 4).reason == ""


def test_an_equivalence_is_supported_or_inconclusive() -> None:
    assert verdict(None, 0.049, (), 4) == ("supported", "")
    assert verdict(None, 0.05, (), 4) == ("inconclusive", MAY_MATTER)
    assert verdict(None, 1.0, (), 4).verdict == "inconclusive", "though the interval lies beyond the margin"


def test_a_set_that_chose_the_checkpoint_gets_no_verdict() -> None:
    assert verdict(True, 0.01, (), 4, chose=True) == ("inconclusive", "this set chose the checkpoint")
    assert verdict(True, 0.01, ("budget",), 4, chose=True).verdict == "not comparable"


def test_two_or_three_classes_have_no_verdict() -> None:
    for classes in (2, 3):
        found = verdict(True, 0.01, (), classes)
        assert found == ("inconclusive", f"only {classes} classes: a verdict needs 4")


def test_exploratory_contrasts_have_no_verdict_but_what_limits_them() -> None:
    for p in (0.01, 0.9):
        assert exploratory(verdict(True, p, (), 4)) == ("exploratory", "")
        assert exploratory(verdict(None, p, (), 4)) == ("exploratory", "")
    assert exploratory(verdict(True, 0.01, (), 2)) == ("exploratory", "only 2 classes: a verdict needs 4")
    assert exploratory(verdict(True, 0.01, ("budget",), 4)) == ("not comparable", "different budget")


YES, NO, OPEN, UNEQUAL = (Verdict(one) for one in ("supported", "contradicted", "inconclusive", "not comparable"))


@pytest.mark.parametrize(
    ("objectives", "said"),
    [
        ([YES, YES], "supported"),
        ([NO, NO], "contradicted"),
        ([YES, NO], "inconclusive"),
        ([YES, OPEN], "inconclusive"),
        ([OPEN, NO], "inconclusive"),
        ([OPEN, OPEN], "inconclusive"),
        ([UNEQUAL, UNEQUAL], "not comparable"),
        ([YES], "inconclusive"),
        ([NO], "inconclusive"),
        ([OPEN], "inconclusive"),
        ([UNEQUAL], "not comparable"),
    ],
)
def test_the_probe_needs_two_objectives_that_agree(objectives: list[Verdict], said: str) -> None:
    assert agreed(objectives).verdict == said


def test_the_reason_names_missing_or_disagreeing_objectives() -> None:
    assert agreed([YES]).reason == "only one objective was fitted"
    assert agreed([YES, OPEN]).reason == "the objectives disagree"
