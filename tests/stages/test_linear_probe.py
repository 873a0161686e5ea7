from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from safetensors import safe_open

from tests.helpers import Fails, make_artifact, run
from tests.stages.evaluation_chain import UNIT, Chain
from workflow_scripts.core.artifact import Artifact
from workflow_scripts.evaluation.linear_probe.heads import load_head
from workflow_scripts.stages.linear_probe import STAGE


def test_results_predictions_and_heads_agree(chain: Chain) -> None:
    made = Artifact(chain.probes["concept"])
    results = pq.read_table(made.path(".parquet")).to_pylist()
    predictions = pq.read_table(made.path(".predictions.parquet")).to_pylist()
    assert [(row["dataset"], row["objective"], row["metric"], row["n"]) for row in results] == [
        ("concept", "sklearn", "accuracy", 24),
        ("concept", "lgssl", "accuracy", 24),
    ]
    for row in results:
        mine = [one for one in predictions if one["objective"] == row["objective"]]
        assert row["value"] == pytest.approx(np.mean([one["label"] == one["predicted"] for one in mine]))
        assert row["low"] <= row["value"] <= row["high"] and 1e-6 <= row["best_c"] <= 1e6
        assert all(one["correct"] == (one["label"] == one["predicted"]) for one in mine)
    with safe_open(made.path(".head.safetensors"), "np") as heads:
        assert heads.metadata() == {"objective": "sklearn"}
    head = load_head(made.path(".head.safetensors"))
    features = np.load(Artifact(chain.features["concept"]).path(".npy"))
    table = pq.read_table(Artifact(chain.datasets["concept"]).path(".parquet")).to_pylist()
    test = [i for i, row in enumerate(table) if row["split"] == "test"]
    expected = [one["predicted"] for one in predictions if one["objective"] == "sklearn"]
    assert head.predict(features[test]).tolist() == expected
    assert not head.mean.any() and (head.std == 1).all()


def test_the_probe_uses_the_metric_of_the_dataset(chain: Chain) -> None:
    rows = pq.read_table(Artifact(chain.probes["masks"]).path(".parquet")).to_pylist()
    assert [(row["dataset"], row["metric"], row["n"]) for row in rows] == [("masks", "mean_per_class", 9)] * 2


def test_features_with_a_wrong_number_of_rows_are_an_error(chain: Chain, fails: Fails) -> None:
    short = make_artifact(chain.results, "features", "x", {".npy": npy(chain.results, 5)}, UNIT)
    inputs = {"features": short, "dataset": chain.datasets["concept"]}
    with fails("5 rows, but the dataset has 66"):
        run(STAGE, chain.results, "linear_probe/x", {}, inputs, UNIT)


def npy(folder: Path, rows: int) -> Path:
    path = folder / "short.npy"
    np.save(path, np.zeros((rows, 4), np.float32))
    return path


@pytest.mark.parametrize("settings", [{"costs": [0.0]}, {"costs": []}, {"objectives": ["ridge"]}, {"objectives": []}])
def test_invalid_probe_settings_are_refused(settings: dict[str, object], chain: Chain) -> None:
    with pytest.raises(SystemExit):
        run(STAGE, chain.results, "linear_probe/x", settings, {"features": chain.features["concept"]}, UNIT)
