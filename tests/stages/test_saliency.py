import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.helpers import Fails, run
from tests.stages.evaluation_chain import UNIT, Chain
from workflow_scripts.core.artifact import Artifact
from workflow_scripts.evaluation.saliency.maps.kinds import COMMON, LAYERED
from workflow_scripts.evaluation.saliency.scores import SCORES
from workflow_scripts.stages.saliency import STAGE


def score(chain: Chain, name: str, **settings: object) -> Artifact:
    of_masks = {"features": chain.features, "probe": chain.probes, "dataset": chain.datasets, "images": chain.images}
    inputs = {"run": chain.run, **{given: paths["masks"] for given, paths in of_masks.items()}}
    unit = UNIT | {"dataset": "masks"}
    return run(STAGE, chain.results, f"saliency/{name}", {"examples": 3, **settings}, inputs, unit)


def test_all_masked_images_are_scored_or_counted_as_dropped(chain: Chain) -> None:
    made = score(chain, "a")
    assert made.rows == {"in": 9, "out": 8, "dropped": {"empty_mask": 1}}
    rows = pq.read_table(made.path(".results.parquet")).to_pylist()
    whole = [row for row in rows if (row["scale"], row["stratum"]) == ("raw", "all")]
    assert {(row["layer"], row["target"], row["metric"]) for row in whole} == {
        (layer, target, metric) for layer in ("layer4", "layer3") for target in (*LAYERED, *COMMON) for metric in SCORES
    }
    assert {row["n"] for row in whole} == {8}
    assert len(pq.read_table(made.path(".parquet"))) == 8 * (2 * len(LAYERED) + len(COMMON))
    with np.load(made.path(".examples.npz"), allow_pickle=False) as stored:
        assert stored["images"].shape == (6, 24, 24, 3) and set(stored["datasets"].tolist()) == {"masks"}
        assert stored["maps"].shape == stored["maps_swapped"].shape == (6, 24, 24)


def test_batches_change_only_the_last_bits(chain: Chain) -> None:
    first, second = (
        pq.read_table(score(chain, f"b{batch}", batch_size=batch).path(".parquet"))["pixel_ap"].to_numpy()
        for batch in (1, 8)
    )
    assert first == pytest.approx(second, abs=1e-3)


def test_an_unknown_saliency_layer_is_an_error(chain: Chain, fails: Fails) -> None:
    with fails("error: Input should be 'layer1', 'layer2', 'layer3' or 'layer4' in settings of saliency: layers.0"):
        score(chain, "c", layers=["layer5"])
