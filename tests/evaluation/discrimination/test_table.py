from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from scipy import stats
from sklearn.linear_model import LinearRegression

from workflow_scripts.evaluation.contrasts.series import Series
from workflow_scripts.evaluation.discrimination.rule import Discrimination
from workflow_scripts.evaluation.discrimination.table import (
    NO,
    OPEN,
    YES,
    Checkpoint,
    Gain,
    checkpoints,
    discrimination_rows,
    finding,
    known_levels,
    known_orderings,
    partial_r2,
    recovers,
    spearman,
)
from workflow_scripts.evaluation.discrimination.variance import Components

METRIC, PROBE, LABELS = "saliency.probe.pixel_ap.corrected", "linear_probe.sklearn", np.arange(60) % 5
LEVELS = {"untrained": 0.1, "simclr": 0.4, "clip": 0.5, "supervised": 0.7}
STEPS = ("step-000010", "step-000020", "last")


def series(metric: str, values: np.ndarray) -> Series:
    shares = np.full(len(values), 1 / len(values))
    return Series("masks", metric, metric, values, LABELS, shares, None, float(values.mean()), None, None, 0)


def study(spread: float, seeds: int = 3, steps: tuple[str, ...] = ("last",)) -> tuple[dict[Any, Any], list[Any]]:
    """Scores whose levels are those of LEVELS; of earlier steps, a part of it."""
    rng = np.random.default_rng(0)
    scores, rows = {}, []
    for method, level in LEVELS.items():
        for seed in range(seeds):
            for step in steps if method != "untrained" else ("last",):
                run = f"{method}-s{seed}"
                found = {}
                for metric in (METRIC, PROBE, "saliency.oracle.pixel_ap"):
                    mean = level * (1 + STEPS.index(step)) / 3 + rng.normal(0, spread)
                    found[metric, "masks"] = series(metric, (mean + rng.normal(0, 0.1, 60)).astype(np.float32))
                scores[run, step] = found
                rows.append(
                    {"run": run, "step": step, "method": method, "pairs": "p", "augmentation": "crop", "seed": seed}
                    | {"backbone": "b", "tag": ""}
                )
    return scores, rows


def of_runs(rows: Sequence[dict[str, Any]], doses: dict[str, float] | None = None) -> list[Checkpoint]:
    return checkpoints(rows, {(row["run"], row["step"]): {} for row in rows}, doses or {})


def row(method: str, backbone: str = "b", step: str = "last", pairs: str = "p", seed: int = 0) -> dict[str, Any]:
    run = f"{method}-{pairs}-{backbone}-s{seed}"
    head = {"run": run, "step": step, "method": method, "pairs": pairs, "augmentation": "crop", "seed": seed}
    return head | {"backbone": backbone, "tag": ""}


def test_steps_of_a_run_are_ordered_and_untrained_and_supervised_networks_are_left_out() -> None:
    scores, rows = study(0.01, seeds=1, steps=("step-000010", "last"))
    found = checkpoints(rows, scores, {})
    names = [f"{one.run} {one.model[-1]}" for one in found]
    assert {(names[low], names[high]) for low, high in known_orderings(found)} == {
        (f"{method}-s0 step-000010", f"{method}-s0 last") for method in ("simclr", "clip")
    }
    assert known_levels(found, ()).tolist() == [0, 1, 0, 1]


def test_doses_are_ordered_within_seed_and_step() -> None:
    doses, steps = {"none": 0.0, "half": 0.5, "full": 1.0}, ("step-000010", "last")
    rows = [row("simclr", pairs=pairs, step=step, seed=seed)
            for pairs in ("full", "half", "none", "self") for step in steps for seed in (0, 1)]  # fmt: skip
    found = of_runs(rows, doses)
    assert known_levels(found, ())[[0, 2, 4, 6, 8, 10, 12, 14]].tolist() == [2, 3, 1, 2, 0, 1, 0, 1]
    pairs = known_orderings(found)
    assert {(8, 4), (8, 0), (4, 0), (10, 6)} <= set(pairs) and not {(8, 5), (8, 6), (12, 0)} & set(pairs)
    assert len(pairs) == 2 * 2 * 3 + 2 * 4


def test_orderings_can_be_stated_in_the_config() -> None:
    found = of_runs([row("simclr", "own", "step-000010"), row("simclr", "own"),
                     *(row("external", name) for name in ("full", "half", "none", "odd"))])  # fmt: skip
    stated = (("none", "half"), ("half", "full"), ("own", "full"))
    assert known_levels(found, stated).tolist() == pytest.approx([0, 1, 2, 1, 0, np.nan], nan_ok=True)
    assert set(known_orderings(found, stated)) - set(known_orderings(found)) == {(4, 3), (3, 2), (1, 2)}


def test_orderings_that_contradict_each_other() -> None:
    with pytest.raises(ValueError, match="they contradict each other: "):
        Discrimination.model_validate({"orderings": [{"lower": a, "higher": b} for a, b in ("ab", "bc", "ca")]})


def test_a_precise_metric_discriminates_and_a_noisy_metric_does_not() -> None:
    for spread, verdict in ((0.01, YES), (1.0, NO)):
        scores, rows = study(spread, steps=STEPS)
        found = {row["metric"]: row for row in discrimination_rows(scores, rows, PROBE, Discrimination())}
        assert set(found) == {METRIC, PROBE}
        row = found[METRIC]
        assert (row["models"], row["runs"], row["images"], row["levels"], row["orderings"]) == (6, 18, 60, 3, 18)
        assert row["verdict"] in (verdict, OPEN) and (spread > 0.5 or row["verdict"] == YES)
        assert found[PROBE]["spearman"] is found[PROBE]["beyond_probe"] is None and (
            spread > 0.5 or row["spearman"] > 0.8
        )


@pytest.mark.parametrize(
    ("low", "high", "models", "levels", "share", "verdict", "reason"),
    [
        (0.6, 0.9, 4, 3, 0.95, YES, ""),
        (0.6, 0.9, 4, 3, 0.8, NO, "models differ, but not in the known order"),
        (0.1, 0.4, 4, 3, 1.0, NO, "the interval of the ICC lies below the bound"),
        (0.1, 0.9, 4, 3, 1.0, OPEN, "the interval of the ICC includes the bound"),
        (0.6, 0.9, 3, 3, 1.0, OPEN, "models: 3; 4 are required"),
        (0.6, 0.9, 4, 2, 1.0, OPEN, "known levels: 2; 3 are required"),
        (0.6, 0.9, 4, 3, float("nan"), OPEN, "no order of runs is known"),
    ],
)
def test_the_discrimination_verdict_follows_its_rule(
    low: float, high: float, models: int, levels: int, share: float, verdict: str, reason: str
) -> None:
    found = finding(Components(9, 1, 1, 1, 0.5, low, high), models, levels, share, Gain(0.2, 1.0, 0.2), 0.95)
    assert found == (verdict, reason, "not shown")


@pytest.mark.parametrize(
    ("gain", "beyond"),
    [
        (Gain(0.5, 1.0, 0.01), "yes"),
        (Gain(0.5, -1.0, 0.01), "in the wrong direction"),
        (Gain(0.1, 1.0, 0.06), "not shown"),
        (Gain(float("nan"), float("nan"), float("nan")), "not shown"),
        (None, None),
    ],
)
def test_information_beyond_the_probe_has_a_direction(gain: Gain | None, beyond: str | None) -> None:
    found = finding(Components(9, 1, 1, 1, 0.5, 0.6, 0.9), 4, 3, 1.0, gain, 0.95)
    assert found.beyond_probe == beyond


def test_discrimination_without_several_seeds_is_inconclusive() -> None:
    scores, rows = study(0.01, seeds=1, steps=STEPS)
    row = next(discrimination_rows(scores, rows, PROBE, Discrimination()))
    assert (row["verdict"], row["reason"], row["icc"]) == (OPEN, "no model has several seeds", None)


def test_orderings_with_a_tie() -> None:
    orderings = [(0, 1), (1, 2), (2, 3), (0, 3)]
    assert recovers(np.array([0.0, 1.0, 1.0, 0.5]), orderings).tolist() == [1, 0.5, 0, 1]


def test_rank_correlation_equals_scipy() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, 4, 12).astype(float), rng.random(12)
    assert spearman(first, second) == pytest.approx(stats.spearmanr(first, second).statistic)
    assert np.isnan(spearman(np.ones(5), second[:5])) and np.isnan(spearman(first[:2], second[:2]))


def test_partial_r2_is_that_of_residuals() -> None:
    rng = np.random.default_rng(1)
    known, added = rng.normal(size=(2, 20))
    outcome = known + 0.7 * added + rng.normal(size=20)

    def rest(values: np.ndarray) -> np.ndarray:
        return np.asarray(values - LinearRegression().fit(known[:, None], values).predict(known[:, None]))

    gain = partial_r2(outcome, known, added)
    r = stats.pearsonr(rest(outcome), rest(added)).statistic
    assert gain.share == pytest.approx(r**2)
    both = LinearRegression().fit(np.column_stack([known, added]), outcome)
    assert gain.slope == pytest.approx(both.coef_[1])
    assert partial_r2(outcome, known, -added) == pytest.approx((gain.share, -gain.slope, gain.p))
    assert gain.p == pytest.approx(2 * stats.t.sf(abs(r) * np.sqrt(17 / (1 - r**2)), 17))


def test_partial_r2_is_nan_where_it_is_undefined() -> None:
    x = np.arange(5.0)
    assert np.isnan(partial_r2(x[:3], x[:3] ** 2, x[:3]).share)
    assert np.isnan(partial_r2(x, x**2, np.ones(5)).share)
    assert np.isnan(partial_r2(2 * x + 1, x, x**2).share)  # the known one explains all
    for at in range(3):
        given = [x, x**2, np.array([2.0, 0, 5, 1, 3])]
        given[at] = np.where(x == 2, np.nan, given[at])
        assert np.isnan(partial_r2(*given).p)
