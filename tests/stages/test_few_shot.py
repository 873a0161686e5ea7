from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.helpers import run
from tests.stages.evaluation_chain import UNIT, Chain, make_chain
from workflow_scripts.stages.few_shot import main


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    return make_chain(tmp_path_factory.mktemp("results"))


def score(
    chain: Chain, name: str, **settings: int
) -> tuple[list[dict[str, object]], list[dict[str, object]], dict[str, object]]:
    inputs = {"features": chain.features, "datasets": chain.datasets}
    made = run(main, chain.results, f"few_shot/{name}", {"episodes": 30, **settings}, inputs, UNIT)
    tables = [pq.read_table(made.path(suffix)).to_pylist() for suffix in (".parquet", ".episodes.parquet")]
    return tables[0], tables[1], made.rows


def test_results_are_means_of_episodes_and_reduced_ways_are_recorded(chain: Chain) -> None:
    results, episodes, rows = score(chain, "a", shots=3, queries=2)
    assert [(row["dataset"], row["ways"], row["classes"], row["classes_left_out"], row["n"]) for row in results] == [
        ("concept", 3, 3, 0, 30),
        ("masks", 3, 3, 0, 30),
    ]
    for row in results:
        mine = np.array([one["accuracy"] for one in episodes if one["dataset"] == row["dataset"]])
        assert row["value"] == pytest.approx(mine.mean())
        assert row["standard_error"] == pytest.approx(mine.std(ddof=1) / np.sqrt(30))
    assert rows == {"in": 2, "out": 2, "dropped": {}}


def test_sets_without_enough_images_are_counted(chain: Chain) -> None:
    results, episodes, rows = score(chain, "b", queries=4)  # the mask set has three test images of each class
    assert [row["dataset"] for row in results] == ["concept"] and len(episodes) == 30
    assert rows == {"in": 2, "out": 1, "dropped": {"under_two_usable_classes": 1}}
    results, episodes, rows = score(chain, "c", queries=100)
    assert not results and not episodes and rows["out"] == 0


def test_more_episodes_begin_with_the_same(chain: Chain) -> None:
    few, many = score(chain, "d", shots=3, queries=2)[1], score(chain, "e", shots=3, queries=2, episodes=45)[1]
    assert [one for one in many if one["episode"] < 30] == few  # type: ignore[operator]


def test_no_datasets_at_all(chain: Chain, results: Path) -> None:
    made = run(main, chain.results, "few_shot/none", {}, {"features": chain.features}, UNIT)
    assert len(pq.read_table(made.path(".episodes.parquet"))) == 0
