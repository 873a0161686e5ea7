from dataclasses import replace

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from tests.evaluation.sets import downstream
from workflow_scripts.evaluation.downstream import hits_table
from workflow_scripts.evaluation.interval_settings import Bootstrap
from workflow_scripts.evaluation.knn import knn, results_table, statistics_table
from workflow_scripts.stats.feature_statistics import alignment


def test_train_and_val_vote_and_test_images_are_classified() -> None:
    data = downstream(noise=1.5)
    bank, test = data.rows("train", "val"), data.rows("test")
    judge = KNeighborsClassifier(20, metric="cosine", weights=lambda distance: np.exp((1 - distance) / 0.07))
    expected = judge.fit(data.features[bank].astype(float), data.labels[bank]).predict(data.features[test])
    predicted = knn(data, 20, 0.07, "cpu")
    assert predicted.dtype == np.int32 and predicted.tolist() == expected.tolist()
    spoiled = data.labels.copy()
    spoiled[test] = 0
    assert knn(replace(data, labels=spoiled), 20, 0.07, "cpu").tolist() == expected.tolist()


def test_exact_copies_of_bank_images_are_classified_correctly() -> None:
    data = downstream()
    bank, test = data.rows("train", "val"), data.rows("test")
    features, labels = data.features.copy(), data.labels.copy()
    features[test], labels[test] = features[bank[: len(test)]], labels[bank[: len(test)]]
    assert (knn(replace(data, features=features, labels=labels), 1, 0.07, "cpu") == labels[test]).all()


@pytest.mark.parametrize("metric", ["accuracy", "mean_per_class"])
def test_tables_agree_with_each_other(metric: str) -> None:
    data = downstream(metric=metric, noise=1.5)
    predicted, test = knn(data, 20, 0.07, "cpu"), data.rows("test")
    (row,) = results_table(data, predicted, Bootstrap(resamples=200), 0).to_pylist()
    images = hits_table(data, predicted)
    assert images["key"].to_pylist() == data.keys[test].tolist()
    assert images["label"].to_pylist() == data.labels[test].tolist()
    right, labels = images["correct"].to_numpy(), images["label"].to_numpy()
    per_class = np.mean([right[labels == one].mean() for one in range(3)])
    assert row["value"] == pytest.approx(right.mean() if metric == "accuracy" else per_class)
    assert (row["metric"], row["n"], row["bank"]) == (metric, len(test), len(data.rows("train", "val")))


def test_the_table_uses_test_images_but_for_rankme_and_draws_the_same_for_all_networks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("workflow_scripts.evaluation.knn.RANK_IMAGES", 40)
    monkeypatch.setattr("workflow_scripts.evaluation.knn.UNIFORMITY_PAIRS", 500)
    data = downstream(4, n=200)
    spoiled = data.features.copy()
    spoiled[data.rows("train", "val")] *= 100
    first, other, small = (
        {row["metric"]: row for row in statistics_table(given, 0).to_pylist()}
        for given in (data, replace(data, features=spoiled), replace(data, features=data.features / 1e4))
    )
    test = data.features[data.rows("test")].astype(float)
    assert first["norm"]["value"] == pytest.approx(np.linalg.norm(test, axis=1).mean())
    assert first["norm_sd"]["value"] == pytest.approx(np.linalg.norm(test, axis=1).std())
    unit = test / np.linalg.norm(test, axis=1, keepdims=True)
    assert first["alignment"]["value"] == pytest.approx(alignment(unit, data.labels[data.rows("test")])[0])
    for name in ("rankme", "alignment", "uniformity"):  # of directions
        assert small[name]["value"] == pytest.approx(first[name]["value"])
    assert first["rankme"]["n"] == 40 and first["norm"]["n"] == len(test)
    assert other["rankme"]["value"] == pytest.approx(first["rankme"]["value"])  # blind to scale
    assert {name: other[name] for name in other if name != "rankme"} == {
        name: first[name] for name in first if name != "rankme"
    }


def test_rankme_is_of_as_many_images_as_in_its_paper() -> None:
    rows = statistics_table(downstream(2, n=36_000, d=2), 0).to_pylist()
    assert [row["n"] for row in rows if row["metric"] == "rankme"] == [25_600]


def test_features_of_zeros_have_no_rank() -> None:
    data = downstream(3)
    table = statistics_table(replace(data, features=np.zeros_like(data.features)), 0)
    assert "rankme" not in table["metric"].to_pylist() and "norm" in table["metric"].to_pylist()
