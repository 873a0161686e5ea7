"""The stages ``image_hashes``, ``embed_tests``, ``vector_matches`` and ``leakage``."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image, ImageOps

from tests.captions.small_blip2 import save_checkpoints
from tests.evaluation.leakage.pictures import picture
from tests.file_bytes import npy, parquet
from tests.helpers import make_artifact, run
from tests.stages.captioned import shard
from tests.stages.evaluation_chain import Chain
from tests.study.config.configs import planned
from workflow_scripts.core.artifact import Artifact
from workflow_scripts.core.shards import dataset_images
from workflow_scripts.models.matcher import load_matcher
from workflow_scripts.stages import embed_tests, image_hashes, leakage, vector_matches


def hashed(
    results: Path, name: str, pictures: list[Image.Image], first: int, lost: int = 1, workers: int = 1
) -> Artifact:
    path, _ = shard(results, name, pictures, first, lost)
    options = ["--workers", str(workers)]
    block = f"{name}-{name}"
    given = {"shards": [path]}
    return run(image_hashes.STAGE, results, f"image_hashes/{block}", {}, given, {"block": block}, {}, options)


def test_planted_test_images_are_found_however_shards_are_divided(chain: Chain, tmp_path: Path) -> None:
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
def test_a_study_without_training_has_no_leakage_checks(trains: bool) -> None:
    runs = [{"method": "untrained", "pairs": "none", "augmentation": "none"}]
    runs += [{"method": "simclr", "pairs": "self", "augmentation": "simclr"}] if trains else []
    pairs = [{"name": "original", "arm": "original", "encoder": "mpnet"}]  # others compare hashes of partners
    study = planned(change={"runs": runs, "pairs": pairs, "contrasts": [], "pretraining": {"patience": None}})
    assert study.reported and study.evaluations
    assert (study.names("leakage") == study.reported, bool(study.names("image_hashes"))) == (trains, trains)


def test_vectors_of_test_images_find_the_copies_that_hashes_miss(chain: Chain, tmp_path: Path) -> None:
    there = chain.copy_to(tmp_path / "results")
    results, dataset = there.results, Artifact(there.datasets["concept"])
    table = pq.read_table(dataset.path(".parquet"))
    test = np.flatnonzero(np.array(table["split"].to_pylist()) == "test")
    keys = table["key"].take(test).to_pylist()
    images = dataset_images(dataset)
    unit, folder = {"dataset": "concept", "encoder": "blip2"}, save_checkpoints(tmp_path)["matcher"]
    given = {"dataset": dataset.manifest_path}
    settings = {"kind": "blip2", "batch_size": 4}
    source = {"encoder": folder}
    vectors = run(embed_tests.STAGE, results, "embed_tests/concept.blip2", settings, given, unit, source)
    matcher = load_matcher(folder, "cpu", 32)
    pictures = [images.image(int(row)) for row in test]
    expected = matcher.image_vectors(matcher.image_states(pictures)).numpy().mean(axis=1)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    found = np.load(vectors.path(".npy"))
    assert np.abs(found - expected).max() < 1e-5
    assert pq.read_table(vectors.path(".keys.parquet"))["key"].to_pylist() == keys
    assert vectors.rows == {"in": len(table), "out": len(test), "dropped": {"other_splits": len(table) - len(test)}}

    planted = [picture(0), pictures[2].crop((0, 0, 19, 19)), picture(1)]
    planted_vectors = npy(np.stack([-found[2], found[2], found[7]]))
    trained = {".npy": planted_vectors, ".keys.parquet": parquet({"key": ["k0", "k1", "k2"]})}
    embedded = make_artifact(results, "embed_images", "blip2", trained, {"encoder": "blip2"})
    given = {"tests": vectors.manifest_path, "images": embedded}
    close = run(vector_matches.STAGE, results, "vector_matches/concept.blip2", {"cosine": 0.999}, given, unit)
    pairs = {(row["test"], row["train"]) for row in pq.read_table(close.path(".parquet")).to_pylist()}
    assert {(keys[2], "k1"), (keys[7], "k2")} <= pairs and not {train for _, train in pairs} & {"k0"}
    inputs = {"dataset": dataset.manifest_path, "hashes": [hashed(results, "00000", planted, 0).manifest_path]}
    outcomes = []
    for more in ({}, {"vectors": close.manifest_path}):
        made = run(leakage.STAGE, results, "leakage/concept", {"distance": 20}, inputs | more, {"dataset": "concept"})
        rows = pq.read_table(made.path(".parquet")).to_pylist()
        about = json.loads(made.path(".json").read_bytes())
        outcomes.append(({(row["test"], row["train"]) for row in rows if row["by_vectors"]}, about))
    assert outcomes[0][0] == set() and outcomes[0][1]["vectors"] is None
    assert outcomes[1][0] == {(keys[2], "k1")}
    assert outcomes[1][1]["vectors"] == {"encoder": "blip2", "cosine": 0.999, "training_images": 3}
    assert outcomes[1][1]["by_vectors"] == 1
