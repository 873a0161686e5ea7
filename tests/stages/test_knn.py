import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score
from sklearn.neighbors import KNeighborsClassifier

from tests.helpers import run
from tests.stages.evaluation_chain import CHECKPOINT, UNIT, Chain
from workflow_scripts.core.artifact import Artifact
from workflow_scripts.evaluation.contrasts.series import ItemOrder, hit_series
from workflow_scripts.evaluation.downstream import load_downstream
from workflow_scripts.stages import knn


@pytest.mark.parametrize("dataset", ["concept", "masks"])
def test_results_predictions_and_series(chain: Chain, dataset: str) -> None:
    inputs = {"features": chain.features[dataset], "dataset": chain.datasets[dataset]}
    made = run(knn.STAGE, chain.results, f"knn/{CHECKPOINT}.{dataset}", {}, inputs, UNIT | {"dataset": dataset})
    data = load_downstream(Artifact(chain.datasets[dataset]), Artifact(chain.features[dataset]))
    bank, test = data.rows("train", "val"), data.rows("test")
    votes = min(20, len(bank))
    judge = KNeighborsClassifier(votes, metric="cosine", weights=lambda distance: np.exp((1 - distance) / 0.07))
    expected = judge.fit(data.features[bank].astype(float), data.labels[bank]).predict(data.features[test])
    predictions = pq.read_table(made.path(".predictions.parquet"))
    assert predictions["predicted"].to_pylist() == expected.tolist()
    (row,) = pq.read_table(made.path(".parquet")).to_pylist()
    judged = {"accuracy": accuracy_score, "mean_per_class": balanced_accuracy_score}[data.metric]
    assert row["value"] == pytest.approx(judged(data.labels[test], expected))
    assert made.rows == {"in": len(test), "out": len(test), "dropped": {}}

    statistics = {one["metric"]: one for one in pq.read_table(made.path(".statistics.parquet")).to_pylist()}
    norms = np.linalg.norm(data.features[test].astype(float), axis=1)
    assert statistics["norm"]["value"] == pytest.approx(norms.mean()) and statistics["norm"]["n"] == len(test)
    assert 1 < statistics["rankme"]["value"] <= min(len(bank), data.features.shape[1])

    order = ItemOrder()
    (series,) = hit_series(made, 4, order)
    assert (series.metric, series.family, series.file) == (f"knn.{data.metric}", "knn", 4)
    assert series.shares @ series.values == pytest.approx(row["value"])
    assert (series.value, series.low, series.high) == (row["value"], row["low"], row["high"])
    # Its images are those of the probe, in the same order, so that both can be paired by position.
    assert len(list(hit_series(Artifact(chain.probes[dataset]), 0, order))) == 2
