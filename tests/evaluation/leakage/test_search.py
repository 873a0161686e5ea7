from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.evaluation.leakage.pictures import blurred, cropped, mirrored, packed, picture, resized
from workflow_scripts.evaluation.leakage import search
from workflow_scripts.evaluation.leakage.fingerprints import Fingerprints, all_views, fingerprint, whole
from workflow_scripts.evaluation.leakage.search import NEAREST, Limits, Match, matches, matches_table

LIMITS = Limits(70, 0.8)


def split_of(folder: Path, images: list[Image.Image]) -> Fingerprints:
    return fingerprint(packed(folder, images), np.arange(len(images)), all_views, 1)


def shard(folder: Path, images: list[Image.Image], start: int = 0) -> tuple[list[str], Fingerprints]:
    keys = [f"t{start + at}" for at in range(len(images))]
    return keys, fingerprint(packed(folder, images), np.arange(len(images)), whole, 1)


@pytest.mark.parametrize(
    ("change", "kind", "view"),
    [
        (lambda image: image, "identical", "whole"),
        (resized, "near", "whole"),
        (blurred, "near", "whole"),
        (mirrored, "near", "whole, mirrored"),
        (cropped, "near", "crop"),
    ],
)
def test_a_planted_copy_is_found_and_nothing_else(
    change: Callable[[Image.Image], Image.Image], kind: str, view: str, tmp_path: Path
) -> None:
    tests = split_of(tmp_path, [picture(at) for at in range(12)])
    training = [picture(100 + at) for at in range(30)]
    training[17] = change(picture(5))
    found = matches(tests, [shard(tmp_path, training)], LIMITS)
    (row,) = matches_table(found, [f"x{at}" for at in range(12)]).to_pylist()
    assert (row["test"], row["train"], row["kind"], row["view"]) == ("x5", "t17", kind, view)
    assert (row["distance"] == 0) == (kind == "identical") and row["correlation"] > 0.9


def test_how_rows_are_divided_into_shards_and_blocks_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tests = split_of(tmp_path, [picture(at) for at in range(4)])
    training = [resized(picture(1)), picture(50), picture(1), mirrored(picture(3)), picture(51)]
    together = matches(tests, [shard(tmp_path, training)], LIMITS)
    apart = matches(tests, [shard(tmp_path, training[:2]), shard(tmp_path, training[2:], 2)], LIMITS)
    monkeypatch.setattr(search, "AT_ONCE", 3)
    assert together == apart == matches(tests, [shard(tmp_path, training)], LIMITS)
    assert [(one.test, one.train, one.kind) for one in together] == [
        (1, "t2", "identical"),
        (1, "t0", "near"),
        (3, "t3", "near"),
    ]


def test_the_closest_are_listed_and_more_copies_are_not(tmp_path: Path) -> None:
    copies = [picture(0)] * (NEAREST + 3)
    found = matches(split_of(tmp_path, [picture(0)]), [shard(tmp_path, copies), shard(tmp_path, copies, 20)], LIMITS)
    assert len(found) == NEAREST and {one.kind for one in found} == {"identical"}


def test_equal_test_images_each_have_the_first_of_many_copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    monkeypatch.setattr(search, "Match", lambda *fields: made.append(fields) or Match(*fields))
    red = [Image.new("RGB", (30, 30), "red")] * 50
    tests, (_, copies) = split_of(tmp_path, red), shard(tmp_path, red)
    keys = [f"{at:02d}" for at in reversed(range(50))]
    halves = [(keys[at], Fingerprints(*(one[at] for one in copies))) for at in (slice(25), slice(25, 50))]
    found = matches(tests, halves, LIMITS)
    assert [(one.test, one.train) for one in found] == [
        (row, f"{at:02d}") for row in range(50) for at in range(NEAREST)
    ]
    assert len(made) == 2 * 50 * NEAREST  # not 50 * 50


def test_pictures_of_one_colour_are_compared_by_their_pixels_alone(tmp_path: Path) -> None:
    red, other = Image.new("RGB", (30, 30), "red"), Image.new("RGB", (30, 30), (250, 0, 0))
    found = matches(split_of(tmp_path, [red]), [shard(tmp_path, [other, red])], LIMITS)
    assert found == [Match(0, "t1", "identical", 0, 0, 1.0)]
    assert matches(split_of(tmp_path, [red]), [shard(tmp_path, [other])], LIMITS) == []


def test_both_limits_count(tmp_path: Path) -> None:
    tests, training = split_of(tmp_path, [picture(0)]), shard(tmp_path, [cropped(picture(0))])
    (one,) = matches(tests, [training], LIMITS)
    assert matches(tests, [training], Limits(one.distance - 1, 0.1)) == []
    assert matches(tests, [training], Limits(70, one.correlation + 1e-3)) == []
