import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.helpers import run
from tests.stages.evaluation_chain import CHECKPOINT, UNIT, Chain
from workflow_scripts.stages.few_shot import STAGE

Scored = tuple[list[dict[str, object]], list[dict[str, object]], dict[str, object]]


def score(chain: Chain, dataset: str, **settings: int) -> Scored:
    """Results, episodes and counts of rows."""
    inputs = {"features": chain.features[dataset], "dataset": chain.datasets[dataset]}
    unit, settings = UNIT | {"dataset": dataset}, {"episodes": 30, **settings}
    made = run(STAGE, chain.results, f"few_shot/{CHECKPOINT}.{dataset}", settings, inputs, unit)
    tables = [pq.read_table(made.path(suffix)).to_pylist() for suffix in (".parquet", ".episodes.parquet")]
    images = pq.read_table(made.path(".images.parquet"))
    for row in tables[0]:
        assert np.sum(images["correct"]) / np.sum(images["shown"]) == pytest.approx(row["value"])
    return tables[0], tables[1], made.rows


@pytest.mark.parametrize("dataset", ["concept", "masks"])
def test_results_are_means_of_episodes_and_reduced_ways_are_recorded(chain: Chain, dataset: str) -> None:
    (row,), episodes, rows = score(chain, dataset, shots=3, queries=2)
    assert {name: row[name] for name in ("dataset", "ways", "classes", "classes_left_out", "n")} == {
        "dataset": dataset,
        "ways": 3,
        "classes": 3,
        "classes_left_out": 0,
        "n": 30,
    }
    mine = np.array([one["accuracy"] for one in episodes])
    assert row["value"] == pytest.approx(mine.mean())
    assert row["standard_error"] == pytest.approx(mine.std(ddof=1) / np.sqrt(30))
    assert rows == {"in": 1, "out": 1, "dropped": {}}


def test_a_set_without_enough_images_is_counted(chain: Chain) -> None:
    assert score(chain, "concept", queries=4)[2] == {"in": 1, "out": 1, "dropped": {}}
    results, episodes, rows = score(chain, "masks", queries=4)  # it has three test images of each class
    assert not results and not episodes
    assert rows == {"in": 1, "out": 0, "dropped": {"under_two_usable_classes": 1}}


def test_more_episodes_begin_with_the_same(chain: Chain) -> None:
    few, many = (score(chain, "concept", shots=3, queries=2, episodes=count)[1] for count in (30, 45))
    assert [one for one in many if one["episode"] < 30] == few  # type: ignore[operator]
