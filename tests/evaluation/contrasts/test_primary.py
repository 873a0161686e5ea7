"""Which contrasts get a verdict, by which rows, and what of the study it depends on."""

from typing import Any

import numpy as np
import pytest
from scipy import stats

from tests.evaluation.contrasts.made_up import OBJECTIVES, arm, drawn, judged, study_scores
from workflow_scripts.evaluation.contrasts.contrasts import contrast_rows
from workflow_scripts.evaluation.contrasts.settings import Contrast, Term
from workflow_scripts.evaluation.contrasts.verdicts import ALPHA
from workflow_scripts.stats.moderation import moderated, seed_part
from workflow_scripts.stats.random_effects import two_way

RUNS = [one for pairs in ("a", "b", "c") for one in arm(pairs)]
FIRST = Contrast(name="b - a", minuend="b", subtrahend="a", primary=True)
SECOND = Contrast(name="c - a", minuend="c", subtrahend="a", primary=True)
VERDICTS = {"supported", "contradicted", "inconclusive"}


def of_endpoint(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in rows if row["primary"]]


def scores_of(seed: int = 0, families: tuple[str, ...] = (*OBJECTIVES, "few_shot"), **effects: float) -> Any:
    return study_scores(drawn(RUNS, np.random.default_rng(seed), effects, families))


def test_only_the_mean_over_sets_of_a_primary_contrast_is_judged() -> None:
    other = Contrast(name="c - b", minuend="c", subtrahend="b")
    rows = judged(RUNS, scores_of(b=0.2), FIRST, other)
    found = of_endpoint(rows)
    assert [(row["contrast"], row["dataset"], row["metric"].rpartition(".")[0], row["verdict"]) for row in found] == [
        ("b - a", "mean", family, "supported") for family in OBJECTIVES
    ]
    rest = [row for row in rows if not row["primary"]]
    assert {row["verdict"] for row in rest} == {"exploratory"} and len(rest) == 2 * 3 * 3 - 2
    assert all(row["p"] is not None and row["p_adjusted"] >= row["p"] for row in rest)


def test_the_only_set_of_a_study_is_the_endpoint() -> None:
    tables = drawn(RUNS, np.random.default_rng(2), {"b": -0.3}, sets={"one": 20})
    found = of_endpoint(judged(RUNS, study_scores(tables), FIRST))
    assert [(row["dataset"], row["verdict"]) for row in found] == [("one", "contradicted")] * 2


def test_holm_is_over_the_primary_contrasts_under_each_objective() -> None:
    rows = of_endpoint(judged(RUNS, scores_of(b=0.02, c=0.03), FIRST, SECOND))
    for family in OBJECTIVES:
        first, second = sorted((row for row in rows if row["metric"].startswith(family)), key=lambda row: row["p"])
        assert first["p_adjusted"] == pytest.approx(min(1, 2 * first["p"]))
        assert second["p_adjusted"] == pytest.approx(min(1, max(2 * first["p"], second["p"])))


def test_an_endpoint_without_objectives_is_in_the_family_of_each() -> None:
    few_shot = SECOND.model_copy(update={"endpoint": "few_shot"})
    rows = of_endpoint(judged(RUNS, scores_of(b=0.02, c=0.03), FIRST, few_shot))
    (one,) = [row for row in rows if row["contrast"] == "c - a"]
    assert one["metric"] == "few_shot.accuracy"
    probes = [row["p"] for row in rows if row["contrast"] == "b - a"]
    assert one["p_adjusted"] == pytest.approx(max(min(1, max(one["p"] * (1 + (one["p"] <= p)), 2 * p * (p < one["p"])))
                                                  for p in probes))  # fmt: skip


def test_equivalence_is_two_one_sided_tests() -> None:
    listed = FIRST.model_copy(update={"test": "equivalence", "margin": 10.0})
    rows = of_endpoint(judged(RUNS, scores_of(), listed))
    plain = of_endpoint(judged(RUNS, scores_of(), FIRST))
    for row, other in zip(rows, plain, strict=True):
        assert (row["low"], row["high"]) == (other["low"], other["high"]) and row["detectable"] is None
        assert row["verdict"] == ("supported" if max(one["p_adjusted"] for one in rows) < ALPHA else "inconclusive")
    narrow = of_endpoint(judged(RUNS, scores_of(b=0.3), listed))
    assert {row["verdict"] for row in narrow} == {"inconclusive"} and all(row["p"] > 0.9 for row in narrow)


def test_the_span_of_a_slope_is_the_range_of_its_levels() -> None:
    terms = tuple(Term(at=at, pairs=pairs) for pairs, at in (("a", 2.0), ("b", 3.0), ("c", 7.0)))
    assert Contrast(name="slope", terms=terms, test="slope").span == 5.0 and SECOND.span == 1.0


def test_a_slope_is_judged_like_a_difference() -> None:
    terms = tuple(Term(at=at, pairs=pairs) for pairs, at in (("a", 0.0), ("b", 0.5), ("c", 1.0)))
    slope = Contrast(name="slope", terms=terms, test="slope", primary=True)
    rows = of_endpoint(judged(RUNS, scores_of(b=0.1, c=0.2), slope))
    assert {row["verdict"] for row in rows} == {"supported"}
    same = of_endpoint(judged(RUNS, scores_of(b=0.1, c=0.2), SECOND))
    assert [row["difference"] for row in rows] == pytest.approx([row["difference"] for row in same])


def test_a_verdict_names_runs_that_look_collapsed() -> None:
    runs = [one.model_copy(update={"collapsed": one.pairs == "a" and one.seed == 1}) for one in RUNS]
    rows = of_endpoint(judged(runs, scores_of(b=0.2), FIRST, SECOND.model_copy(update={"subtrahend": "b"})))
    collapsed = "rests on runs that look collapsed: simclr-a-crop-resnet_small-s1"
    assert {(row["contrast"], row["verdict"], row["reason"]) for row in rows} == {
        ("b - a", "supported", collapsed),
        ("c - a", "contradicted", ""),
    }


def test_six_arms_moderate_the_variance_between_seeds() -> None:
    runs = [one for pairs in "abcdef" for one in arm(pairs)]
    scores = study_scores(drawn(runs, np.random.default_rng(5)))
    contrasts = [FIRST, SECOND]
    with_six = of_endpoint(judged(runs, scores, *contrasts))
    assert {row["arms"] for row in with_six} == {6}
    five = of_endpoint(judged([one for one in runs if one.pairs != "f"], scores, *contrasts))
    assert {row["arms"] for row in five} == {0}
    untrained = arm("f", batch_size=0)
    mixed = judged([*runs[:-3], *untrained], scores, Contrast(name="x", minuend="a", subtrahend="f", primary=True))
    assert {row["arms"] for row in mixed} == {0}
    by_seed = [
        [
            np.mean([scores.series[one.run, "last"][OBJECTIVES[0], name].value for name in ("one", "two")])
            for one in runs
            if one.pairs == pairs
        ]
        for pairs in "abcdef"
    ]
    moderate = moderated(np.var(by_seed, axis=1, ddof=1), np.full(6, 2.0))
    part = seed_part(moderate, np.array([-1.0, 1, 0, 0, 0, 0]), 3, 12.0)
    tables = [np.array([scores.series[b.run, "last"][OBJECTIVES[0], name].by_class
                        - scores.series[a.run, "last"][OBJECTIVES[0], name].by_class
                        for a, b in zip(runs[:3], runs[3:6], strict=True)]) for name in ("one", "two")]  # fmt: skip
    effect = two_way(tables, [np.full(20, 1 / 20), np.full(12, 1 / 12)], seed=part)
    assert (with_six[0]["low"], with_six[0]["high"]) == pytest.approx(effect.interval(0.95))
    t = stats.ttest_rel(by_seed[1], by_seed[0])
    assert five[0]["p"] >= t.pvalue - 1e-12 and with_six[0]["difference"] == pytest.approx(
        np.mean(by_seed[1]) - np.mean(by_seed[0])
    )


def test_equal_hits_under_two_objectives_are_resampled_alike() -> None:
    tables = drawn(RUNS, np.random.default_rng(9), families=OBJECTIVES[:1])
    for own in tables.values():
        own |= {(OBJECTIVES[1], name): values for (_, name), values in own.items()}
    found = [row for row, _ in contrast_rows(study_scores(tables), RUNS, [FIRST], 100) if row["level"] == "image"]
    ends = {row["metric"].rpartition(".")[0]: (row["low"], row["high"]) for row in found if row["dataset"] == "one"}
    assert ends[OBJECTIVES[0]] == ends[OBJECTIVES[1]]


def test_contrasts_between_steps_keep_their_own_variance() -> None:
    runs = [one for pairs in "abcdef" for one in arm(pairs, steps=["last", "best"])]
    late = Contrast(
        name="late", terms=(Term(weight=1, step="last", pairs="a"), Term(weight=-1, step="best", pairs="a"))
    )
    rows = judged(runs, study_scores(drawn(runs, np.random.default_rng(6))), late, FIRST)
    assert {row["arms"] for row in rows if row["contrast"] == "late"} == {0}
    assert {row["arms"] for row in rows if row["contrast"] == "b - a"} == {6}


def test_classes_of_the_same_name_are_one_class() -> None:
    """Two sets with the same classes have the same differences: half the classes, so a wider interval."""
    tables = drawn(RUNS, np.random.default_rng(7), sets={"one": 20})
    effects = {one: np.random.default_rng([8, at]).normal(0, 0.1, 20) for at, one in enumerate("abc")}
    for one in RUNS:
        for family in OBJECTIVES:
            tables[one.run, "last"][family, "one"] += effects[one.pairs]
            tables[one.run, "last"][family, "two"] = tables[one.run, "last"][family, "one"]
    names = [f"class {at}" for at in range(20)]
    rows = of_endpoint(judged(RUNS, study_scores(tables, {"one": names, "two": names}), FIRST))
    alone = of_endpoint(judged(RUNS, study_scores({key: {k: v for k, v in own.items() if k[1] == "one"}
                                                   for key, own in tables.items()}), FIRST))  # fmt: skip
    for row, other in zip(rows, alone, strict=True):
        assert (row["low"], row["high"], row["p"]) == pytest.approx((other["low"], other["high"], other["p"]))
    apart = of_endpoint(judged(RUNS, study_scores(tables), FIRST))
    assert all(row["high"] < other["high"] for row, other in zip(apart, rows, strict=True))


def test_means_are_also_over_sets_of_small_and_of_larger_images() -> None:
    sets = {"one": 20, "two": 12, "three": 5}
    tables = drawn(RUNS, np.random.default_rng(8), {"b": 0.1}, sets=sets)
    found = [row for row, _ in contrast_rows(study_scores(tables), RUNS, [FIRST], 100, small=["one", "three"])]
    joint = {
        row["dataset"]: row for row in found if row["level"] == "joint" and row["metric"].startswith(OBJECTIVES[0])
    }
    assert joint.keys() == {*sets, "mean", "mean, up to 96 px", "mean, larger"}
    assert joint["mean, up to 96 px"]["difference"] == pytest.approx(
        np.mean([joint[name]["difference"] for name in ("one", "three")])
    )
    assert joint["mean, larger"]["low"] == pytest.approx(joint["two"]["low"])
    assert {name for name, row in joint.items() if row["primary"]} == {"mean"}
