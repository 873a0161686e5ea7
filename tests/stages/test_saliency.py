import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.helpers import run
from tests.stages.evaluation_chain import UNIT, Chain
from workflow_scripts.core.artifact import Artifact
from workflow_scripts.evaluation.saliency.maps import TARGETS
from workflow_scripts.evaluation.saliency.scores import SCORES
from workflow_scripts.stages.saliency import STAGE


def score(chain: Chain, name: str, **settings: object) -> Artifact:
    of_masks = {"features": chain.features, "probe": chain.probes, "dataset": chain.datasets, "images": chain.images}
    inputs = {"run": chain.run, **{given: paths["masks"] for given, paths in of_masks.items()}}
    unit = UNIT | {"dataset": "masks"}
    return run(STAGE, chain.results, f"saliency/{name}", {"examples": 3, **settings}, inputs, unit)


def test_masked_images_are_scored_and_accounted_for(chain: Chain) -> None:
    made = score(chain, "a")
    assert made.rows == {"in": 9, "out": 8, "dropped": {"empty_mask": 1}}
    rows = pq.read_table(made.path(".results.parquet")).to_pylist()
    assert [(row["dataset"], row["target"], row["metric"]) for row in rows] == [
        ("masks", target, metric) for target in TARGETS for metric in SCORES
    ]
    images = pq.read_table(made.path(".parquet")).to_pylist()
    for row in rows:
        values = [one["value"] for one in images if (one["target"], one["metric"]) == (row["target"], row["metric"])]
        assert row["value"] == pytest.approx(np.mean(values)) and row["n"] == len(values) == 8
    with np.load(made.path(".examples.npz"), allow_pickle=False) as stored:
        assert stored["images"].shape == (3, 24, 24, 3) and set(stored["datasets"].tolist()) == {"masks"}
        assert stored["maps"].shape == stored["maps_cosine"].shape == (3, 24, 24)


def test_batches_change_only_the_last_bits(chain: Chain) -> None:
    first, second = (
        pq.read_table(score(chain, f"b{batch}", batch_size=batch).path(".parquet"))["value"].to_numpy()
        for batch in (1, 8)
    )
    assert first == pytest.approx(second, abs=1e-3)


def test_a_layer_that_is_not_there(chain: Chain, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        score(chain, "c", layer="layer5")
    assert (
        "error: Input should be 'layer1', 'layer2', 'layer3' or 'layer4' in settings of saliency: layer"
        in capsys.readouterr().err.strip().splitlines()[-1]
    )
