from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from tests.evaluation.leakage.pictures import blurred, cropped, mirrored, packed, picture, resized
from tests.file_bytes import parquet
from tests.helpers import make_artifact
from workflow_scripts.core.artifact import Artifact
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.evaluation.leakage import search
from workflow_scripts.evaluation.leakage.fingerprints import Fingerprints, fingerprint
from workflow_scripts.evaluation.leakage.search import (
    COSINES,
    NEAR,
    NEAREST,
    VIEWS_FOUND,
    Limits,
    Match,
    close_pairs,
    counts_of,
    matches,
    matches_table,
    read_cosines,
    same_pictures,
)
from workflow_scripts.stages.leakage import Leakage

LIMITS = Limits(70, 0.9)


def split_of(folder: Path, images: list[Image.Image]) -> Fingerprints:
    return fingerprint(packed(folder, images), np.arange(len(images)), True, 1)


def shard(folder: Path, images: list[Image.Image], start: int = 0) -> tuple[list[str], Fingerprints]:
    keys = [f"t{start + at}" for at in range(len(images))]
    return keys, fingerprint(packed(folder, images), np.arange(len(images)), False, 1)


CHANGES = {
    "identical": lambda image: image,
    "resized": resized,
    "blurred": blurred,
    "mirrored": mirrored,
    "cropped": cropped,
    "both": lambda image: cropped(mirrored(image)),
}


@pytest.mark.parametrize(
    ("change", "pixels", "view", "other_way"),
    [
        ("identical", True, "whole", "whole"),
        ("resized", False, "whole", "whole"),
        ("blurred", False, "whole", "whole"),
        ("mirrored", False, "whole, mirrored", "whole, mirrored"),
        ("cropped", False, "training image cropped", "test image cropped"),
        ("both", False, "training image cropped, mirrored", "test image cropped, mirrored"),
    ],
)
def test_only_the_planted_copy_is_found(change: str, pixels: bool, view: str, other_way: str, tmp_path: Path) -> None:
    tests, training = [picture(at) for at in range(6)], [picture(100 + at) for at in range(9)]
    for altered, expected in ((training, view), (tests, other_way)):
        one, other = list(tests), list(training)
        other[7] = one[5]
        (other if altered is training else one)[7 if altered is training else 5] = CHANGES[change](one[5])
        found = matches(split_of(tmp_path, one), [shard(tmp_path, other)], LIMITS, {})
        (row,) = matches_table(found, [f"x{at}" for at in range(6)]).to_pylist()
        assert (row["test"], row["train"], row["view"]) == ("x5", "t7", expected)
        assert (row["by_pixels"], row["by_hash"], row["by_vectors"]) == (pixels, True, False)
        assert (row["distance"] == 0) == pixels and row["correlation"] > 0.97 and row["cosine"] is None


def test_how_rows_are_divided_into_shards_and_blocks_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tests = split_of(tmp_path, [picture(at) for at in range(4)])
    training = [resized(picture(1)), picture(50), picture(1), mirrored(picture(3)), picture(51)]
    together = matches(tests, [shard(tmp_path, training)], LIMITS, {})
    apart = matches(tests, [shard(tmp_path, training[:2]), shard(tmp_path, training[2:], 2)], LIMITS, {})
    monkeypatch.setattr(search, "AT_ONCE", 3)
    assert together == apart == matches(tests, [shard(tmp_path, training)], LIMITS, {})
    assert [(one.test, one.train, one.by_pixels) for one in together] == [
        (1, "t2", True),
        (1, "t0", False),
        (3, "t3", False),
    ]


def test_the_closest_are_listed_and_more_copies_are_not(tmp_path: Path) -> None:
    copies = [picture(0)] * (NEAREST + 3)
    found = matches(
        split_of(tmp_path, [picture(0)]), [shard(tmp_path, copies), shard(tmp_path, copies, 20)], LIMITS, {}
    )
    assert len(found) == NEAREST and all(one.by_pixels for one in found)


def test_equal_test_images_each_have_the_first_of_many_copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    monkeypatch.setattr(search, "Match", lambda *fields: made.append(fields) or Match(*fields))
    red = [Image.new("RGB", (30, 30), "red")] * 50
    tests, (_, copies) = split_of(tmp_path, red), shard(tmp_path, red)
    keys = [f"{at:02d}" for at in reversed(range(50))]
    halves = [(keys[at], Fingerprints(*(one[at] for one in copies))) for at in (slice(25), slice(25, 50))]
    found = matches(tests, halves, LIMITS, {})
    assert [(one.test, one.train) for one in found] == [
        (row, f"{at:02d}") for row in range(50) for at in range(NEAREST)
    ]
    assert len(made) == 2 * 50 * NEAREST  # not 50 * 50


def test_uniform_pictures_are_compared_by_pixels_only(tmp_path: Path) -> None:
    red, other = Image.new("RGB", (30, 30), "red"), Image.new("RGB", (30, 30), (250, 0, 0))
    found = matches(split_of(tmp_path, [red]), [shard(tmp_path, [other, red])], LIMITS, {})
    assert found == [Match(0, "t1", True, False, False, 0, 0, 1.0)]
    assert matches(split_of(tmp_path, [red]), [shard(tmp_path, [other])], LIMITS, {}) == []
    ramps = [Image.fromarray(np.tile(np.linspace(a, a + 6, 60).astype(np.uint8), (60, 1))) for a in (100, 150)]
    faint, brighter = (ramp.convert("RGB") for ramp in ramps)
    assert matches(split_of(tmp_path, [faint]), [shard(tmp_path, [brighter])], LIMITS, {"t0": {0: 0.99}}) == []


def test_a_match_must_satisfy_both_limits(tmp_path: Path) -> None:
    tests, training = split_of(tmp_path, [picture(0)]), shard(tmp_path, [cropped(picture(0))])
    (one,) = matches(tests, [training], LIMITS, {})
    assert matches(tests, [training], Limits(one.distance - 1, 0.1), {}) == []
    assert matches(tests, [training], Limits(70, one.correlation + 1e-6), {}) == []


def test_close_vectors_add_copies_that_hashes_miss_if_the_pictures_agree(tmp_path: Path) -> None:
    tests = split_of(tmp_path, [picture(0), picture(1)])
    training = shard(tmp_path, [picture(50), mirrored(picture(1)), cropped(picture(0), 0.6)])
    assert [one.train for one in matches(tests, [training], LIMITS, {})] == ["t1"]
    cosines = {"t0": {0: 0.97}, "t1": {1: 0.99}, "t2": {0: 0.85, 1: 0.9}}
    cropped_one, both = matches(tests, [training], LIMITS, cosines)
    assert (both.test, both.train, both.by_hash, both.by_vectors, both.cosine) == (1, "t1", True, True, 0.99)
    assert VIEWS_FOUND[both.view] == "whole, mirrored" and both.correlation > 0.99
    assert (cropped_one.test, cropped_one.train, cropped_one.by_hash, cropped_one.cosine) == (0, "t2", False, 0.85)
    assert VIEWS_FOUND[cropped_one.view] == "training image cropped" and cropped_one.distance > LIMITS.distance
    other = split_of(tmp_path, [cropped(picture(0), 0.6)]), shard(tmp_path, [picture(0)])
    (one,) = matches(other[0], [other[1]], LIMITS, {"t0": {0: 0.85}})
    assert VIEWS_FOUND[one.view] == "test image cropped" and not one.by_hash
    counts = {"identical": 0, "near": 2, "by_pixels": 0, "by_hash": 1, "by_vectors": 2}
    assert counts_of([cropped_one, both]) == counts
    with pytest.raises(PipelineError, match=r"vectors of images without fingerprints .*1 training images, such as t9"):
        matches(tests, [training], LIMITS, {"t9": {0: 0.99}})


def test_pictures_of_pairs_are_compared_as_those_of_tests_and_training_images(tmp_path: Path) -> None:
    own, flat = picture(0), Image.new("RGB", (64, 64), (9, 9, 9))
    others = [own, resized(own), cropped(own), picture(1), flat, flat]
    _, first = shard(tmp_path / "first", [own, own, own, own, own, flat])
    _, second = shard(tmp_path / "second", others)
    assert same_pictures(first, second, NEAR).tolist() == [True, True, True, False, False, True]
    assert same_pictures(second, first, NEAR).tolist() == [True, True, True, False, False, True]
    assert (Leakage().distance, Leakage().correlation) == NEAR


def test_pairs_are_those_whose_exact_cosine_reaches_the_limit() -> None:
    angles = np.array([0.0, 0.1, 0.21, 0.3, 1.5])
    training = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    tests = training[[1, 4]]
    rows = np.array([[1, 0, 2, 3], [4, 3, -1, -1]])
    products = np.where(rows >= 0, 0.99, -np.inf).astype(np.float32)
    test, train, cosine = close_pairs(tests, training, rows, products, np.cos(0.15))
    assert test.tolist() == [0, 0, 0, 1] and train.tolist() == [1, 0, 2, 4]
    assert cosine == pytest.approx([1, np.cos(0.1), np.cos(0.11), 1], abs=1e-6) and cosine.max() <= 1


def test_candidates_below_the_cosine_limit_are_not_read() -> None:
    one = np.ones((1, 1), np.float32)
    assert all(not len(part) for part in close_pairs(one, one, np.array([[0]]), np.array([[0.7]]), 0.8))
    none = np.zeros((1, 0))
    assert all(not len(part) for part in close_pairs(one, one[:0], none.astype(int), none, 0.8))


def test_pairs_by_training_image(results) -> None:  # type: ignore[no-untyped-def]
    columns = [["b", "a", "b"], ["t1", "t1", "t2"], [0.9, 0.95, 0.85]]
    table = pa.table([pa.array(one) for one in columns], names=COSINES.names).cast(COSINES)
    made = make_artifact(results, "vector_matches", "pets.clip", {".parquet": parquet(table)}, {})
    found = read_cosines([Artifact(made)], ["a", "b"])
    assert found.keys() == {"t1", "t2"} and found["t1"] == pytest.approx({1: 0.9, 0: 0.95})
    assert read_cosines([], ["a"]) == {}
