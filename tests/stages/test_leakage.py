"""The stages ``image_hashes`` and ``leakage``."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image, ImageOps

from tests.evaluation.leakage.pictures import picture
from tests.helpers import run
from tests.stages.captioned import shard
from tests.stages.evaluation_chain import Chain
from tests.study.config.configs import changed, merged
from workflow_scripts.core.artifact import Artifact
from workflow_scripts.core.shards import dataset_images
from workflow_scripts.stages import image_hashes, leakage
from workflow_scripts.study.config.study import load_study
from workflow_scripts.study.units import Units


def hashed(
    results: Path, name: str, pictures: list[Image.Image], first: int, lost: int = 1, workers: int = 1
) -> Artifact:
    path, _ = shard(results, name, pictures, first, lost)
    options = ["--workers", str(workers)]
    block = f"{name}-{name}"
    given = {"shards": [path]}
    return run(image_hashes.STAGE, results, f"image_hashes/{block}", {}, given, {"block": block}, {}, options)


def test_planted_test_images_are_found_in_any_division_into_shards(chain: Chain, tmp_path: Path) -> None:
    there = chain.copy_to(tmp_path / "results")
    dataset = Artifact(there.datasets["concept"])
    table = pq.read_table(dataset.path(".parquet"))
    test = np.flatnonzero(np.array(table["split"].to_pylist()) == "test")
    train = np.flatnonzero(np.array(table["split"].to_pylist()) == "train")
    images = dataset_images(dataset)
    same, other = images.image(int(test[3])), images.image(int(train[0]))
    planted = [picture(0), same, picture(1), other, ImageOps.mirror(images.image(int(test[5])))]
    found = []
    for name, parts in (("one", [planted]), ("two", [planted[:2], planted[2:]])):
        results = tmp_path / name
        copy = there.copy_to(results)
        hashes = [hashed(results, f"{at:05d}", part, 2 * at) for at, part in enumerate(parts)]
        inputs = {"dataset": copy.datasets["concept"], "hashes": [one.manifest_path for one in hashes]}
        made = run(leakage.STAGE, results, "leakage/concept", {}, inputs, {"dataset": "concept"})
        found.append(pq.read_table(made.path(".parquet")).to_pylist())
        about = json.loads(made.path(".json").read_bytes())
        assert (about["test_images"], about["training_images"]) == (len(test), 5)
        assert made.rows == {"in": len(test), "out": len(test), "dropped": {}}
    assert found[0] == found[1]
    pairs = {(row["test"], row["train"], row["by_pixels"]) for row in found[0]}
    keys = table["key"].to_pylist()
    assert (keys[test[3]], "k1", True) in pairs
    assert (keys[test[5]], "k4", False) in pairs
    assert about["identical"] == 1 and about["near"] >= 1
    assert not {row["test"] for row in found[0]} & {keys[row] for row in train}


def test_hashes_do_not_depend_on_workers_and_rows_without_image_are_counted(tmp_path: Path) -> None:
    pictures = [picture(at) for at in range(5)]
    one, other = (hashed(tmp_path / f"{n}" / "results", "00000", pictures, 0, 2, n) for n in (1, 4))
    assert one.hash == other.hash and one.rows == {"in": 7, "out": 5, "dropped": {"no_image": 2}}
    assert pq.read_table(one.path(".parquet"))["key"].to_pylist() == [f"k{at}" for at in range(5)]


def test_a_shard_without_images(tmp_path: Path) -> None:
    made = hashed(tmp_path / "results", "00000", [], 0, 3)
    assert made.rows["out"] == 0 and len(pq.read_table(made.path(".parquet"))) == 0


@pytest.mark.parametrize("trains", [False, True])
def test_a_study_that_trains_no_network_has_no_training_images(trains: bool) -> None:
    runs = [{"method": "untrained", "pairs": "none", "augmentation": "none"}]
    runs += [{"method": "simclr", "pairs": "self", "augmentation": "simclr"}] if trains else []
    study = Units(load_study(changed(merged(), {"runs": runs, "contrasts": [], "pretraining": {"patience": None}})))
    assert study.reported and study.evaluations
    assert (study.leak_checked == study.reported, bool(study.hashed_blocks)) == (trains, trains)
