"""The smallest effects of a config against a published table, and against simulations of the rule of verdicts."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pyarrow as pa
import pytest
from scipy.special import stdtrit

from tests.bench import decisions
from tests.commands.test_show import write
from tests.evaluation.contrasts.made_up import arm
from tests.study.config.configs import planned as study
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.evaluation.contrasts.comparisons import planned
from workflow_scripts.evaluation.contrasts.contrasts import CONTRASTS
from workflow_scripts.evaluation.contrasts.settings import Contrast, SummaryRun, Term
from workflow_scripts.evaluation.contrasts.study_scores import ROWS
from workflow_scripts.stats.moderation import moderated, seed_part
from workflow_scripts.study.config.stages import declaration, stages_in_order
from workflow_scripts.study.estimates import power as estimates
from workflow_scripts.study.estimates.power import Power, measured, power, powers, too_little_power


def plan(runs: Sequence[SummaryRun], family: int = 1, objectives: int = 2, **contrast: Any) -> Power:
    """Of b - a, or of another contrast."""
    given = Contrast(name="b - a", **({"minuend": "b", "subtrahend": "a", "primary": True} | contrast))
    (comparison,) = planned([given], (), runs)
    return power(comparison, runs, family, objectives)


def arms(pairs: str, seeds: int = 3, methods: int = 1) -> list[SummaryRun]:
    return [one for number in range(methods) for name in pairs for one in arm(name, seeds, f"method{number}")]


@pytest.mark.parametrize(
    ("deviation", "seeds", "family", "methods", "points"),
    [
        (0.3, 3, 1, 1, 1.4),
        (0.3, 3, 3, 1, 2.4),
        (0.3, 3, 16, 1, 5.6),
        (0.3, 3, 1, 4, 0.7),
        (0.3, 5, 1, 1, 0.7),
        (0.3, 5, 3, 1, 1.0),
        (0.3, 5, 16, 1, 1.5),
        (0.6, 3, 16, 1, 11.1),
        (0.6, 5, 3, 1, 1.9),
        (0.6, 5, 1, 4, 0.7),
    ],
)
def test_with_its_own_variance_a_contrast_needs_the_effects_of_a_table(
    monkeypatch: pytest.MonkeyPatch, deviation: float, seeds: int, family: int, methods: int, points: float
) -> None:
    monkeypatch.setattr(estimates, "FEWEST_ARMS", 99)
    found = plan(arms("ab", seeds, methods), family, endpoint="knn")
    assert (found.seeds, found.arms, found.reason) == (seeds, 0, "")
    assert found.effect * deviation == pytest.approx(points, abs=0.05)


def simulated(
    weights: Sequence[float], number: int, seeds: int, family: int, objectives: int, margin: bool = False
) -> float:
    """The effect (or the margin, without an effect) that 80 % of simulated studies find, by the summary's own rule."""
    rng = np.random.default_rng([number, seeds, family])
    scores = rng.standard_normal((objectives, 4000, number, seeds))
    scores[1:] = 0.8 * scores[0] + 0.6 * scores[1:]
    of_arms = np.array([*weights, *[0.0] * (number - len(weights))])
    freedom = np.full(number, seeds - 1.0)
    part = seed_part(moderated(scores.var(axis=-1, ddof=1), freedom), of_arms, seeds, freedom.sum())
    found = scores.mean(axis=-1) @ of_arms
    critical = stdtrit(part.freedom, 1 - 0.05 / family / (1 if margin else 2)) * np.sqrt(part.variance)
    return float(np.quantile((critical + (np.abs(found) if margin else -found)).max(axis=0), 0.8))


@pytest.mark.parametrize("family", [1, 3])
@pytest.mark.parametrize("seeds", [3, 5, 10])
@pytest.mark.parametrize(("pairs", "methods"), [("abcdef", 1), ("abcdefghijkl", 1), ("abc", 4), ("ab", 4)])
def test_moderated_effects_are_those_of_a_simulation(pairs: str, methods: int, seeds: int, family: int) -> None:
    weights, runs = [1 / methods, -1 / methods] * methods, arms(pairs, seeds, methods)
    for objectives, endpoint in ((2, "linear_probe"), (1, "knn")):
        found = plan(runs, family, endpoint=endpoint)
        assert found.arms == len(pairs) * methods
        expected = simulated(weights, found.arms, seeds, family, objectives)
        assert found.effect * 0.3 == pytest.approx(expected * 0.3, abs=0.07)
    found = plan(runs, family, test="equivalence", margin=1.0)
    expected = simulated(weights, found.arms, seeds, family, 2, margin=True)
    assert found.effect * 0.3 == pytest.approx(expected * 0.3, abs=0.07)


def test_the_whole_rule_finds_the_effect_in_four_of_five_studies() -> None:
    effect = 0.3 * plan(arms("abcdefghijkl"), decisions.FAMILY).effect
    with mock.patch.object(decisions, "OF_CLASS", 0.0):
        ((now, _),) = decisions.simulated(5, decisions.Cell(3), 300, [0.3], [effect]).values()
    assert decisions.supported(now) == pytest.approx(0.8, abs=0.08)


def test_a_slope_is_per_unit() -> None:
    runs = [one for pairs in "abc" for one in arm(pairs)]
    terms = [Term(at=at, pairs=pairs) for at, pairs in ((0.0, "a"), (0.5, "b"), (1.0, "c"))]
    slope = plan(runs, minuend=None, subtrahend=None, terms=terms, test="slope")
    assert slope.effect == pytest.approx(plan(runs).effect)  # weights -1, 0, 1
    wider = [term.model_copy(update={"at": 4 * (term.at or 0.0)}) for term in terms]
    assert plan(runs, minuend=None, subtrahend=None, terms=wider, test="slope").effect == pytest.approx(
        slope.effect / 4
    )


def test_only_common_seeds_count() -> None:
    runs = [*arm("a", 3), *arm("b", 5), *arm("c", 5)]
    assert plan(runs).seeds == 3 and plan(runs).effect == plan(arms("abc", 3)).effect
    assert plan(runs, minuend="c", subtrahend="b").effect < plan(runs).effect


@pytest.mark.parametrize(
    ("runs", "objectives", "contrast", "reason"),
    [
        (arms("ab", 2), 2, {}, "its runs have fewer than 3 seeds in common"),
        (arms("ab"), 1, {}, "a verdict needs 2 objectives of the linear probe"),
        (arms("ab"), 1, {"endpoint": "few_shot"}, ""),
        ([*arm("a"), *arm("b", trained_steps=20)], 2, {}, "its runs differ in budget"),
        (
            arm("a", steps=["last", "best"]),
            2,
            {
                "minuend": None,
                "subtrahend": None,
                "terms": [Term(weight=1, pairs="a", step="last"), Term(weight=-1, pairs="a", step="best")],
            },
            "it compares checkpoints of the same networks, whose scores depend on one another",
        ),
    ],
)
def test_a_contrast_without_a_figure_says_why(
    runs: list[SummaryRun], objectives: int, contrast: dict[str, Any], reason: str
) -> None:
    found = plan(runs, 1, objectives, **contrast)
    assert found.reason == (reason and f"none can be found, since {reason}") and np.isinf(found.effect) == bool(reason)


def test_contrasts_that_compare_no_runs_are_of_the_family_and_have_no_figure() -> None:
    sides = {"minuend": "revised", "subtrahend": "original", "primary": True}
    captions = {"name": "captions", "endpoint": "caption_score", "judge": "clip"}
    one, three = (
        powers(
            study(
                change={
                    "contrasts": [{"name": "runs", **sides}, *({**captions, **sides, "name": name} for name in more)]
                }
            )
        )
        for more in ("", "ab")
    )
    assert [row.name for row in three] == ["runs", "a", "b"] and three[0].effect > 1.1 * one[0].effect
    reason = "not estimated, since its endpoint caption_score is not an accuracy of networks"
    assert [row.reason for row in three] == ["", reason, reason]
    (default,) = powers(study(change={"contrasts": [{**captions, **sides, "primary": False}]}))
    assert (default.name, default.comparison.primary, default.reason) == ("captions", "default", reason)


def test_a_contrast_of_runs_with_themselves_has_no_figure() -> None:
    terms = [{"weight": 1, "pairs": "revised"}, {"weight": -1, "pairs": "revised", "arm": "revised"}]
    (found,) = powers(study(change={"contrasts": [{"name": "same", "terms": terms, "primary": True}]}))
    assert found.reason == "none can be found, since it compares runs with themselves"


def test_a_slope_is_judged_over_its_range() -> None:
    terms = [{"at": at, "pairs": pairs} for at, pairs in ((0, "original"), (100, "revised"))]
    slope = {"name": "slope", "test": "slope", "terms": terms, "primary": True}
    (found,) = powers(study(change={"contrasts": [slope]}))
    needed = f"{0.3 * 100 * found.effect:.2f} points over the range of at are needed"
    (error,) = too_little_power(powers(study(change={"contrasts": [slope]})), 0.1, 0.3)
    assert needed in str(error) and 0.3 < 0.3 * 100 * found.effect < 3


def summary(folder: Path, values: dict[str, list[float]], **more: Any) -> None:
    """A summary of arms with scores by seed."""
    rows = [
        {"method": "simclr", "pairs": pairs, "seed": seed, "value": value, "batch_size": 8, "step": "last", **more}
        for pairs, of_seeds in values.items()
        for seed, value in enumerate(of_seeds)
    ]
    heads = [{"metric": f"linear_probe.{one}.accuracy", "factor": at} for at, one in ((1, "lgssl"), (2, "sklearn"))]
    table = [
        {**row, "dataset": name, "metric": head["metric"], "value": row["value"] * head["factor"]}
        for row in rows
        for head in heads
        for name in ("mean", "one")
    ]
    stated = {"contrast": "gain", "tag": "", "step": "last", "n": 3}
    contrasts = [
        {**stated, "metric": f"{metric}.accuracy", "primary": primary, "detectable": points / 100}
        for metric, primary, points in (
            ("linear_probe.lgssl", "declared", 9),
            ("linear_probe.sklearn", "declared", 8),
            ("knn", "declared", 70),
            ("linear_probe.sklearn", "", 80),
        )
    ]
    tables = {".parquet": (table, ROWS), ".contrasts.parquet": (contrasts, CONTRASTS)}
    write(folder, "summary", "summary", {suffix: pa.Table.from_pylist(*made) for suffix, made in tables.items()})


def test_measured_deviations_are_pooled_over_arms(tmp_path: Path) -> None:
    summary(tmp_path / "a", {"a": [0.50, 0.52], "b": [0.30, 0.31, 0.35], "c": [0.4]})
    (found,) = measured(tmp_path / "a").items()
    assert found[0] == ("linear_probe", "last") and (found[1].networks, found[1].arms) == (5, 2)
    assert found[1].points == pytest.approx(np.std([40, 42], ddof=1) / np.sqrt(2))  # only a seed of both says anything
    assert found[1].total == pytest.approx(np.sqrt((8 + 56) / 3))  # sums of squares of each arm
    few, many = (powers(study(change=TWO))[0]._replace(arms=arms) for arms in (0, 6))
    assert (found[1].of(few), found[1].of(many)) == (found[1].points, found[1].total)
    summary(tmp_path / "one", {"a": [0.1, 0.2, 0.5], "c": [0.4]})
    assert measured(tmp_path / "one")["linear_probe", "last"].points == pytest.approx(np.std([20, 40, 100], ddof=1))
    summary(tmp_path / "b", {"a": [0.5, 0.6, 0.7]}, batch_size=0)
    assert measured(tmp_path / "b") == {}


def test_a_missing_or_old_summary_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="missing file"):
        measured(tmp_path)
    write(tmp_path, "summary", "summary", {".parquet": pa.table({"run": ["a"]})})
    with pytest.raises(PipelineError, match="unreadable summary"):
        measured(tmp_path)


ARMS = ("original", "revised")
TWO = {
    "contrasts": [],
    "runs": [{"method": "simclr", "pairs": pairs, "augmentation": "crop", "seeds": [0, 1, 2]} for pairs in ARMS],
    "probe_dataset": None,
    "pretraining": {"probe": None, "patience": None},
    "evaluation": {"steps": ["last"]},
}


def test_too_little_power_names_contrast_key_and_remedy() -> None:
    (one,) = powers(study(change=TWO))
    assert (one.name, one.comparison.primary, one.seeds, one.arms) == ("revised - original", "default", 3, 0)
    needed = f"{0.3 * one.effect:.2f} points are needed if only seeds deviate, by 0.3"
    (error,) = too_little_power(powers(study(change=TWO)), 1.0, 0.3)
    said = f"too little power in contrast revised - original: {needed}, and smallest_effect is 1; "
    assert str(error).startswith(said)
    assert error.advice.startswith(
        "plan more seeds, test images or classes, a mean over more methods, or fewer primary contrasts"
    )
    assert not list(too_little_power(powers(study(change=TWO)), 2.0, 0.3))
    margin = {"name": "same", "minuend": "revised", "subtrahend": "original", "primary": True, "test": "equivalence"}
    (error,) = too_little_power(powers(study(change={**TWO, "contrasts": [{**margin, "margin": 0.5}]})), 9.0, 0.3)
    assert error.value.endswith("its margin is 0.5")


def test_the_smallest_effect_is_in_no_key() -> None:
    given, other = (study(change={"smallest_effect": wanted}) for wanted in (1.0, 5.0))
    for stage in stages_in_order():
        if (declared := declaration(stage)) is not None:
            for name in given.names(stage) or ():
                unit = declared.unit_of(name)
                assert given.settings(stage, unit) == other.settings(stage, unit)


def test_chance_is_that_of_the_test_images_of_each_set() -> None:
    demo = study("profiles/demo/study.yaml")
    deviation = 100 * (0.5 * 0.5 * (1 / 400 + 1 / 204)) ** 0.5 / 2
    assert estimates.chance(demo) == (604, pytest.approx(deviation))
