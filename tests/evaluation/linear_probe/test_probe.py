from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score

from tests.evaluation.sets import downstream
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.evaluation.linear_probe.probe import Plan, average, probe

PLAN = Plan((1e-4, 1e-2, 1.0, 1e2), 9, 500, 1e-7, False, 200, 0.95, 0, "cpu")


def test_the_tested_head_is_scikit_learns_on_train_and_val_at_the_chosen_cost() -> None:
    data = downstream()
    found = probe(data, "sklearn", PLAN)
    rows, test = data.rows("train", "val"), data.rows("test")
    twin = LogisticRegression(C=found.cost, tol=1e-9, max_iter=5000).fit(data.features[rows], data.labels[rows])
    assert found.head.weight == pytest.approx(twin.coef_, abs=1e-3)
    assert (found.predicted == twin.predict(data.features[test])).all()
    assert found.score.value == pytest.approx(twin.score(data.features[test], data.labels[test]))
    assert found.score.low is not None and found.score.low < found.score.value


@pytest.mark.parametrize("objective", ["sklearn", "lgssl"])
def test_cost_is_the_best_on_validation_and_blind_to_test(objective: str) -> None:
    data = downstream(noise=2.0)
    found = probe(data, objective, PLAN)
    spoiled = data.labels.copy()
    spoiled[data.rows("test")] = 0
    features = data.features.copy()
    features[data.rows("test")] = 99
    other = probe(replace(data, labels=spoiled, features=features), objective, PLAN)
    assert other.cost == found.cost
    assert (other.head.weight == found.head.weight).all()


def test_cost_has_the_best_validation_accuracy_of_the_coarse_grid() -> None:
    data = downstream(noise=2.0)
    train, val = data.rows("train"), data.rows("val")
    accuracy = {
        cost: LogisticRegression(C=cost, tol=1e-9, max_iter=5000)
        .fit(data.features[train], data.labels[train])
        .score(data.features[val], data.labels[val])
        for cost in PLAN.costs
    }
    best = max(accuracy.values())
    chosen = probe(data, "sklearn", PLAN._replace(fine_points=1)).cost
    assert accuracy[min(accuracy, key=lambda cost: abs(np.log(cost / chosen)))] == best


def test_mean_per_class_is_balanced_accuracy_with_an_interval_around_it() -> None:
    data = downstream(metric="mean_per_class", noise=1.5)
    found, test = probe(data, "sklearn", PLAN), data.rows("test")
    assert found.score.value == pytest.approx(balanced_accuracy_score(data.labels[test], found.predicted))
    assert found.score.low is not None and found.score.high is not None
    assert found.score.low < found.score.value < found.score.high
    assert average(np.array([True, False, True]), np.array([0, 0, 1]), "mean_per_class") == pytest.approx(0.75)


def test_a_class_without_training_images_is_never_predicted() -> None:
    data = downstream(4)
    split = data.split.copy()
    split[data.labels == 2] = "test"
    found = probe(replace(data, split=split), "sklearn", PLAN)
    assert found.head.bias[2] == -np.inf and not (found.predicted == 2).any()
    assert np.isfinite(np.delete(found.head.bias, 2)).all()


def test_standardising_makes_scale_irrelevant() -> None:
    data, plan = downstream(), PLAN._replace(standardise=True)
    scaled = replace(data, features=data.features * np.float32(1024))
    first, second = probe(data, "sklearn", plan), probe(scaled, "sklearn", plan)
    assert first.cost == second.cost and (first.predicted == second.predicted).all()
    assert second.head.std == pytest.approx(1024 * first.head.std, rel=1e-5)
    constant = data.features.copy()
    constant[:, 0] = 3
    assert np.isfinite(probe(replace(data, features=constant), "sklearn", plan).head.weight).all()


@pytest.mark.parametrize("gone", ["train", "val", "test"])
def test_an_empty_split_is_named(gone: str) -> None:
    data = downstream()
    split = np.where(data.split == gone, "unused", data.split)
    with pytest.raises(PipelineError, match=f"made_up: {gone}"):
        probe(replace(data, split=split), "sklearn", PLAN)
