"""The stage ``common_images``."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.file_bytes import parquet
from tests.helpers import Fails, make_artifact, run
from workflow_scripts.core.artifact import Artifact
from workflow_scripts.stages.common_images import STAGE

KEYS = [f"k{i}" for i in range(8)]


@pytest.fixture
def index(results: Path) -> Path:
    return make_artifact(results, "image_index", "images", {".parquet": parquet({"key": KEYS})})


def pairs(results: Path, name: str, sources: list[int]) -> Path:
    """A pair table of these sources, each with two partners."""
    rows = [(KEYS[i], KEYS[(i + rank) % 8], rank) for i in sources for rank in (2, 1)]
    columns = {column: [row[i] for row in rows] for i, column in enumerate(("source", "target", "rank"))}
    return make_artifact(results, "pair_table", name, {".parquet": parquet(columns)})


def captions(results: Path, name: str, texts: list[str | None]) -> Path:
    table = {"key": KEYS[::-1], "caption": texts[::-1]}
    return make_artifact(results, "select_captions", name, {".parquet": parquet(table)})


def keys(made: Artifact) -> list[str]:
    return [str(one) for one in pq.read_table(made.path(".parquet"))["key"].to_pylist()]


def test_images_that_all_tables_have_in_the_order_of_the_index(results: Path, index: Path) -> None:
    texts = ["a", "b", "c", " ", "e", None, "g", "h"]
    tables = [pairs(results, "one", [7, 4, 3, 1, 6]), pairs(results, "two", [1, 2, 3, 4, 7])]
    arm = captions(results, "arm", texts)
    made = run(STAGE, results, "common_images/images", {}, {"images": index, "pairs": tables, "captions": arm})
    assert keys(made) == ["k1", "k4", "k7"], "k3 has no caption"
    assert made.rows == {"in": 8, "out": 3, "dropped": {"not_common": 5}}
    record = json.loads(made.manifest_path.with_name("images.run.json").read_bytes())
    assert record["facts"]["images"] == {"pair_table/one": 5, "pair_table/two": 5, "select_captions/arm": 6}


def test_without_tables_every_image_is_common(results: Path, index: Path) -> None:
    made = run(STAGE, results, "common_images/images", {}, {"images": index})
    assert keys(made) == KEYS and made.rows == {"in": 8, "out": 8, "dropped": {}}


def test_a_table_that_changes_nothing_gives_the_same_artifact(results: Path, index: Path) -> None:
    """Trainings depend on the artifact's hash, so these tables make none of them stale."""
    few, more = pairs(results, "few", [1, 2, 5]), pairs(results, "more", [0, 1, 2, 3, 5])
    one = run(STAGE, results, "common_images/images", {}, {"images": index, "pairs": few}).hash
    both = run(STAGE, results, "common_images/images", {}, {"images": index, "pairs": [few, more]}).hash
    other = run(STAGE, results, "common_images/images", {}, {"images": index, "pairs": more}).hash
    assert one == both != other


def test_runs_without_common_images_are_an_error(results: Path, index: Path, fails: Fails) -> None:
    tables = [pairs(results, "one", [1, 2, 3]), pairs(results, "two", [4, 5])]
    said = "no image that all runs have in common_images: pair_table/one has 3 of 8, pair_table/two has 2 of 8; loosen"
    with fails(said):
        run(STAGE, results, "common_images/images", {}, {"images": index, "pairs": tables})


def test_a_pair_table_of_other_images_is_an_error(results: Path, index: Path, fails: Fails) -> None:
    columns = {"source": ["k1"], "target": ["gone"], "rank": [1]}
    table = make_artifact(results, "pair_table", "other", {".parquet": parquet(columns)})
    with fails("error: unknown image key"):
        run(STAGE, results, "common_images/images", {}, {"images": index, "pairs": table})
