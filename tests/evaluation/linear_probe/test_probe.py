import tracemalloc
from collections import Counter
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, balanced_accuracy_score, log_loss
from sklearn.model_selection import PredefinedSplit, StratifiedKFold, cross_val_predict

from tests.evaluation.sets import downstream
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.evaluation.linear_probe.heads import FittedHead
from workflow_scripts.evaluation.linear_probe.probe import Fitter, Validation, held_out, sweep, validation
from workflow_scripts.evaluation.linear_probe.probe import probe as probe_on
from workflow_scripts.evaluation.linear_probe.settings import LinearProbe

COARSE = (1e-6, 1e-4, 1e-2, 1.0, 1e2, 1e4, 1e6)
pytestmark = pytest.mark.usefixtures("exact")
COMMON = {"sklearn": 1.0, "lgssl": 30.0}
PLAN = LinearProbe(costs=(1e-4, 1e-2, 1.0, 1e2), fine_points=9, max_iter=500, least_validation=0, resamples=200)
probe = partial(probe_on, device="cpu")


def plan_with(**changes: object) -> LinearProbe:
    """The settings with some changed."""
    return PLAN.model_copy(update=changes)


@pytest.fixture
def exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fits that end closer to the minimum than a study needs."""
    monkeypatch.setattr("workflow_scripts.evaluation.linear_probe.probe.TOLERANCE", 1e-7)


@settings(max_examples=60, deadline=None)
@given(st.floats(-6, 6), st.integers(1, 40))
def test_the_search_finds_a_single_peak_to_grid_resolution(peak: float, points: int) -> None:
    asked: Counter[float] = Counter()

    def score(cost: float) -> Validation:
        asked[cost] += 1
        return Validation(-abs(np.log10(cost) - peak), 0.0)

    best = sweep(score, COARSE, points)
    assert max(asked.values()) == 1
    assert min(COARSE) <= min(asked) * (1 + 1e-6) and max(asked) <= max(COARSE) * (1 + 1e-6)
    assert abs(np.log10(best) - peak) <= min(4 / (points - 1) if points > 1 else 2, 1.0) + 1e-9
    assert score(best) == max(score(cost) for cost in list(asked))


@settings(max_examples=60, deadline=None)
@given(st.floats(-6, 6), st.integers(1, 40))
def test_equal_accuracies_are_ranked_by_log_loss(lowest: float, points: int) -> None:
    best = sweep(lambda cost: Validation(0.5, abs(np.log10(cost) - lowest)), COARSE, points)
    assert abs(np.log10(best) - lowest) <= min(4 / (points - 1) if points > 1 else 2, 1.0) + 1e-9


def test_log_loss_never_outweighs_accuracy() -> None:
    assert sweep(lambda cost: Validation(float(cost >= 1e2), cost), COARSE, 1) == pytest.approx(1e2)


def test_costs_that_are_equal_in_both_leave_the_strongest_penalty() -> None:
    assert sweep(lambda cost: Validation(0.5, 0.7), COARSE, 29) == pytest.approx(1e-6)


def test_the_search_needs_at_most_19_fits() -> None:
    asked = []

    def score(cost: float) -> Validation:
        asked.append(cost)
        return Validation(0.0, 0.0)

    sweep(score, COARSE, 29)
    assert len(asked) <= 7 + 12


@pytest.mark.parametrize(("sign", "end"), [(1, max(COARSE)), (-1, min(COARSE))])
def test_the_search_stays_within_the_ends_of_the_coarse_grid(sign: int, end: float) -> None:
    asked: list[float] = []

    def score(cost: float) -> Validation:
        asked.append(cost)
        return Validation(sign * cost, 0.0)

    assert sweep(score, COARSE, 40) == pytest.approx(end)
    assert min(COARSE) * 0.99 < min(asked) < max(asked) < max(COARSE) * 1.01


@pytest.mark.parametrize("peak", [-2, 2])
def test_the_search_reaches_the_ends_of_its_fine_grid(peak: int) -> None:
    best = sweep(lambda cost: Validation(-abs(np.log10(cost) - peak), 0.0), (1e-6, 1.0, 1e6), 9)
    assert best == pytest.approx(10.0**peak)


def test_a_single_cost_is_returned() -> None:
    assert sweep(lambda cost: Validation(1.0, 0.0), (3.0,), 29) == pytest.approx(3.0)


def test_the_tested_head_equals_scikit_learn_on_train_and_val() -> None:
    data = downstream()
    found = probe(data, "sklearn", PLAN)
    rows, test = data.rows("train", "val"), data.rows("test")
    twin = LogisticRegression(C=found.cost, tol=1e-9, max_iter=5000).fit(data.features[rows], data.labels[rows])
    assert found.head.weight == pytest.approx(twin.coef_, abs=1e-3)
    assert (found.predicted == twin.predict(data.features[test])).all()
    assert found.score.value == pytest.approx(twin.score(data.features[test], data.labels[test]))
    assert found.score.low is not None and found.score.low < found.score.value


@pytest.mark.parametrize("least", [0, 2000])
@pytest.mark.parametrize("objective", ["sklearn", "lgssl"])
def test_cost_is_the_best_on_validation_and_blind_to_test(objective: str, least: int) -> None:
    data, plan = downstream(noise=2.0), plan_with(least_validation=least)
    found = probe(data, objective, plan)
    spoiled = data.labels.copy()
    spoiled[data.rows("test")] = 0
    features = data.features.copy()
    features[data.rows("test")] = 99
    other = probe(replace(data, labels=spoiled, features=features), objective, plan)
    assert other.cost == found.cost
    assert (other.head.weight == found.head.weight).all()


def test_the_chosen_cost_has_the_best_validation_accuracy_of_the_grid() -> None:
    data = downstream(noise=2.0)
    train, val = data.rows("train"), data.rows("val")
    accuracy = {
        cost: LogisticRegression(C=cost, tol=1e-9, max_iter=5000)
        .fit(data.features[train], data.labels[train])
        .score(data.features[val], data.labels[val])
        for cost in PLAN.costs
    }
    best = max(accuracy.values())
    chosen = probe(data, "sklearn", plan_with(fine_points=1)).cost
    assert accuracy[min(accuracy, key=lambda cost: abs(np.log(cost / chosen)))] == best


def test_a_small_validation_split_is_replaced_by_stratified_folds_over_train_and_val() -> None:
    data = downstream(4, noise=2.0)
    rows, val = data.rows("train", "val"), data.rows("val")
    (alone,) = held_out(data, plan_with(least_validation=len(val)))
    assert alone.tolist() == val.tolist()
    parts = held_out(data, plan_with(least_validation=len(val) + 1))
    assert sorted(np.concatenate(parts).tolist()) == rows.tolist()
    counts = np.array([np.bincount(data.labels[part], minlength=4) for part in parts])
    twin = [np.bincount(data.labels[rows][part], minlength=4)
            for _, part in StratifiedKFold(5).split(rows[:, None], data.labels[rows])]  # fmt: skip
    assert sorted(counts.sum(axis=1)) == sorted(np.sum(twin, axis=1)) and (np.ptp(counts, axis=0) <= 1).all()
    assert (np.sort(counts, axis=0) == np.sort(twin, axis=0)).all()
    other = held_out(replace(data, name="other"), plan_with(least_validation=2000))
    assert [part.tolist() for part in other] != [part.tolist() for part in parts]


def test_the_cost_chosen_by_folds_is_that_of_scikit_learn() -> None:
    data, plan = downstream(3, noise=2.5), plan_with(least_validation=2000, fine_points=1)
    rows = data.rows("train", "val")
    fold = np.empty(len(data.labels), int)
    for number, part in enumerate(held_out(data, plan)):
        fold[part] = number
    features, labels = data.features[rows], data.labels[rows]
    shares = {
        cost: cross_val_predict(
            LogisticRegression(C=cost, tol=1e-9, max_iter=5000),
            features,
            labels,
            cv=PredefinedSplit(fold[rows]),
            method="predict_proba",
        )
        for cost in plan.costs
    }
    scores = {cost: (accuracy_score(labels, found.argmax(axis=1)), -log_loss(labels, found))
              for cost, found in shares.items()}  # fmt: skip
    found = probe(data, "sklearn", plan)
    assert found.cost == pytest.approx(max(scores, key=lambda cost: scores[cost]))
    by_validation = probe(data, "sklearn", plan_with(least_validation=0, fine_points=1)).cost
    assert by_validation != pytest.approx(found.cost), "the set should tell the two ways apart"


def test_the_score_at_the_common_cost_is_that_of_a_probe_with_this_cost_alone() -> None:
    data = downstream(4, noise=2.0)
    for objective, cost in COMMON.items():
        alone = probe(data, objective, plan_with(costs=(cost,), fine_points=1))
        assert probe(data, objective, PLAN).common == pytest.approx((cost, alone.score.value))


def test_tied_validation_accuracies_do_not_select_a_constant_probe() -> None:
    rng = np.random.default_rng(0)
    split = np.repeat(["train", "val", "test"], [60, 15, 200])
    labels = np.concatenate([np.arange(n) % 2 for n in (60, 15, 200)]).astype(np.int32)
    features = rng.normal(size=(275, 4)).astype(np.float32)
    features[:, 0] += 2 * labels - 1
    data = replace(downstream(2), keys=np.arange(275).astype(str), labels=labels, split=split, features=features)
    found = probe(data, "sklearn", plan_with(costs=(1e-6, 1e-4, 1e-2, 1.0, 1e2, 1e4, 1e6), fine_points=29))
    smallest = probe(data, "sklearn", plan_with(costs=(1e-6,), fine_points=1))
    train, val = data.rows("train"), data.rows("val")
    accuracies = [
        LogisticRegression(C=cost, tol=1e-9, max_iter=5000)
        .fit(features[train], labels[train])
        .score(features[val], labels[val])
        for cost in (found.cost, 1e-6)
    ]
    # As many val images are right at C = 1e-6. On train and val, 38 images against 37, its weights are too small to
    # change the sign of the bias.
    assert accuracies[0] == accuracies[1]
    assert set(smallest.predicted) == {0} and smallest.score.value == pytest.approx(0.5)
    assert found.cost > 0.1 and set(found.predicted) == {0, 1} and found.score.value > 0.8


@pytest.mark.parametrize("metric", ["accuracy", "mean_per_class"])
def test_validation_scores_equal_scikit_learn(metric: str) -> None:
    data = downstream(noise=1.5)
    fitted = LogisticRegression(max_iter=5000).fit(data.features[data.rows("train")], data.labels[data.rows("train")])
    head = FittedHead(fitted.coef_, fitted.intercept_, np.zeros(8), np.ones(8))
    features, labels = data.features[data.rows("val")], data.labels[data.rows("val")]
    weights = 1 / np.bincount(labels)[labels] if metric == "mean_per_class" else None
    found = validation([(head, features, labels)], metric)
    predicted, shares = fitted.predict(features), fitted.predict_proba(features)
    assert found.accuracy == pytest.approx(accuracy_score(labels, predicted, sample_weight=weights))
    assert found.log_loss == pytest.approx(log_loss(labels, shares, sample_weight=weights))


def test_a_class_that_the_head_never_saw_leaves_the_log_loss_finite() -> None:
    head = FittedHead(np.zeros((3, 1)), np.array([0.0, 0.0, -np.inf]), np.zeros(1), np.ones(1))
    features = np.zeros((4, 1), np.float32)
    assert validation([(head, features, np.array([0, 0, 1, 2]))], "accuracy") == pytest.approx((0.5, np.log(2)))
    assert validation([(head, features, np.array([2, 2, 2, 2]))], "accuracy") == (0.0, 0.0)


def test_mean_per_class_equals_balanced_accuracy_and_has_an_interval() -> None:
    data = downstream(metric="mean_per_class", noise=1.5)
    found, test = probe(data, "sklearn", PLAN), data.rows("test")
    assert found.score.value == pytest.approx(balanced_accuracy_score(data.labels[test], found.predicted))
    assert found.score.low is not None and found.score.high is not None
    assert found.score.low < found.score.value < found.score.high


def test_a_class_without_training_images_is_never_predicted() -> None:
    data = downstream(4)
    split = data.split.copy()
    split[data.labels == 2] = "test"
    found = probe(replace(data, split=split), "sklearn", PLAN)
    assert found.head.bias[2] == -np.inf and not (found.predicted == 2).any()
    assert np.isfinite(np.delete(found.head.bias, 2)).all()


@pytest.mark.parametrize("objective", COMMON)
def test_a_set_of_one_class_has_a_head_of_zeros(objective: str) -> None:
    found = probe(downstream(1), objective, PLAN)
    assert found.score.value == 1 and not found.head.weight.any() and not found.head.bias.any()


def test_an_empty_validation_split_is_named() -> None:
    data = downstream()
    split = np.where(data.split == "val", "unused", data.split)
    with pytest.raises(PipelineError, match="made_up: val"):
        probe(replace(data, split=split), "sklearn", PLAN)


@pytest.mark.parametrize("objective", ["sklearn", "lgssl"])
def test_the_head_for_a_cost_does_not_depend_on_earlier_costs(objective: str) -> None:
    data = downstream(4, noise=2.0)
    rows = data.rows("train")
    sweep = Fitter(data, rows, objective, PLAN.max_iter, {}, "cpu")
    for cost in (1e-2, 10.0, 1.0, 100.0):
        warm, cold = sweep(cost), Fitter(data, rows, objective, PLAN.max_iter, {}, "cpu")(cost)
        assert warm.weight == pytest.approx(cold.weight, rel=1e-3, abs=1e-4)
        assert (warm.predict(data.features) == cold.predict(data.features)).all()


def test_a_probe_needs_little_memory_besides_one_copy_of_the_features(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workflow_scripts.evaluation.linear_probe.objectives.AT_ONCE", 512)
    data = downstream(classes=4, n=8000, d=64)
    one_copy = data.features.size * 8  # in float64
    tracemalloc.start()
    try:
        probe(data, "sklearn", plan_with(costs=(1e-4,), fine_points=1))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1.6 * one_copy


def test_a_search_can_start_from_a_head_that_lacks_a_class() -> None:
    data = downstream(4)
    without = data.rows("train")[data.labels[data.rows("train")] != 2]
    known = Fitter(data, without, "sklearn", PLAN.max_iter, {}, "cpu")
    known(1.0)
    warm, cold = (
        Fitter(data, data.rows("train"), "sklearn", PLAN.max_iter, heads, "cpu")(1.0) for heads in (known.known, {})
    )
    assert warm.weight == pytest.approx(cold.weight, rel=1e-3, abs=1e-4)
    assert warm.bias - warm.bias.mean() == pytest.approx(cold.bias - cold.bias.mean(), rel=1e-3, abs=1e-4)
