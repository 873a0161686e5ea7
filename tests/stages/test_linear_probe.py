from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from safetensors import safe_open

from tests.helpers import make_artifact, run
from tests.stages.evaluation_chain import UNIT, Chain, make_chain
from workflow_scripts.core.artifact import Artifact
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.evaluation.heads import load_head
from workflow_scripts.stages.linear_probe import main


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    return make_chain(tmp_path_factory.mktemp("results"))


def test_results_predictions_and_heads_agree(chain: Chain) -> None:
    made = Artifact(chain.probe)
    results = pq.read_table(made.path(".parquet")).to_pylist()
    predictions = pq.read_table(made.path(".predictions.parquet")).to_pylist()
    assert [(row["dataset"], row["objective"], row["metric"], row["n"]) for row in results] == [
        *[("concept", "sklearn", "accuracy", 24), ("concept", "lgssl", "accuracy", 24)],
        *[("masks", "sklearn", "mean_per_class", 9), ("masks", "lgssl", "mean_per_class", 9)],
    ]
    for row in results[:2]:
        mine = [one for one in predictions if (one["dataset"], one["objective"]) == (row["dataset"], row["objective"])]
        assert row["value"] == pytest.approx(np.mean([one["label"] == one["predicted"] for one in mine]))
        assert row["low"] <= row["value"] <= row["high"] and 1e-6 <= row["best_c"] <= 1e6
        assert all(one["correct"] == (one["label"] == one["predicted"]) for one in mine)
    with safe_open(made.path(".heads.safetensors"), "np") as heads:
        assert heads.metadata() == {"objective": "sklearn"}
    head = load_head(made.path(".heads.safetensors"), "concept")
    features = np.load(Artifact(chain.features).path(".concept.npy"))
    table = pq.read_table(Artifact(chain.datasets[0]).path(".parquet")).to_pylist()
    test = [i for i, row in enumerate(table) if row["split"] == "test"]
    expected = [one["predicted"] for one in predictions if (one["dataset"], one["objective"]) == ("concept", "sklearn")]
    assert head.predict(features[test]).tolist() == expected
    assert not head.mean.any() and (head.std == 1).all()


def test_heads_that_are_missing_or_damaged(chain: Chain, tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="no head of this dataset"):
        load_head(Artifact(chain.probe).path(".heads.safetensors"), "pets")
    (tmp_path / "x").write_bytes(b"damaged")
    with pytest.raises(PipelineError, match="unreadable heads"):
        load_head(tmp_path / "x", "pets")


def test_features_of_another_dataset(chain: Chain, capsys: pytest.CaptureFixture[str]) -> None:
    short = make_artifact(chain.results, "features", "x", {".concept.npy": npy(chain.results, 5)}, UNIT)
    with pytest.raises(SystemExit):
        run(main, chain.results, "linear_probe/x", {}, {"features": short, "datasets": chain.datasets[:1]}, UNIT)
    assert "5 rows, the dataset has 66" in capsys.readouterr().err.strip().splitlines()[-1]


def npy(folder: Path, rows: int) -> Path:
    path = folder / "short.npy"
    np.save(path, np.zeros((rows, 4), np.float32))
    return path


@pytest.mark.parametrize("settings", [{"costs": [0.0]}, {"costs": []}, {"objectives": ["ridge"]}, {"objectives": []}])
def test_wrong_settings(settings: dict[str, object], chain: Chain) -> None:
    with pytest.raises(SystemExit):
        run(main, chain.results, "linear_probe/x", settings, {"features": chain.features}, UNIT)
