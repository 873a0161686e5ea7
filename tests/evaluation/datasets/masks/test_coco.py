"""Sets in COCO's layout: labels, masks and maps of objects by hand; and damaged ones."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from tests.evaluation.datasets.masks.coco_layout import CATEGORIES, HEIGHT, WIDTH, box, photo, thing, write_part
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.evaluation.datasets.masks.coco import CocoMasks
from workflow_scripts.evaluation.datasets.masks.objects import LabelRule
from workflow_scripts.evaluation.datasets.picture_sets import Picture

CROWD = {"size": [HEIGHT, WIDTH], "counts": [0, 2 * HEIGHT, (WIDTH - 2) * HEIGHT]}  # the first two columns


def read(source: CocoMasks) -> list[Picture]:
    return list(source.read(frozenset(one.name for one in source.listing().entries)))


def pixels(data: bytes | None) -> list[list[int]]:
    assert data is not None
    return np.asarray(Image.open(io.BytesIO(data))).tolist()


def test_labels_masks_and_maps(tmp_path: Path) -> None:
    write_part(
        tmp_path,
        "val2017",
        [photo(1), photo(2), photo(3), photo(4)],
        [
            thing(10, 2, 17, box(2, 0, 4, 12)),
            thing(11, 1, 17, box(0, 0, 10, 6)),  # 60 pixels
            thing(12, 1, 18, box(0, 4, 4, 8)),  # 16 pixels, 8 of them on the cat
            thing(13, 1, 17, box(6, 8, 8, 12)),  # 8 pixels
            thing(14, 1, 18, CROWD, iscrowd=1),
            thing(15, 4, 17, CROWD, iscrowd=1),
        ],
    )
    source = CocoMasks(tmp_path, LabelRule())
    listing = source.listing()
    assert [(one.split, one.class_name, one.name) for one in listing.entries] == [
        ("train", "cat", "val2017/000000000001.png"), ("train", "cat", "val2017/000000000002.png")
    ]  # fmt: skip
    assert listing.left_out == {"no_object": 2}  # no annotation, and a crowd alone
    first, second = read(source)
    ids = np.zeros((HEIGHT, WIDTH), int)
    ids[:, :2] = 255
    ids[:6] = 1
    ids[4:8, :4] = 2
    ids[8:, 6:8] = 3
    assert pixels(first.objects) == ids.tolist() and first.object_classes == ("cat", "dog", "cat")
    expected = np.isin(ids, [1, 3]).astype(int)
    expected[ids == 255] = 255
    assert pixels(first.mask) == expected.tolist()
    assert first.image == (tmp_path / first.name).read_bytes()
    assert (second.objects, second.object_classes) == (None, ())
    assert np.array(pixels(second.mask)).sum() == 24


def test_the_rule_chooses_the_label(tmp_path: Path) -> None:
    things = [thing(1, 1, 17, box(0, 0, 10, 4)), thing(2, 1, 18, box(0, 4, 10, 7)), thing(3, 1, 18, box(0, 8, 10, 11))]
    write_part(tmp_path, "train2017", [photo(1)], things)
    for rule, label in (
        (LabelRule(), "cat"), (LabelRule("largest", 0.4), "cat"), (LabelRule("class_area", 0.6), "dog")
    ):  # fmt: skip
        assert [one.class_name for one in CocoMasks(tmp_path, rule).listing().entries] == [label]
    with pytest.raises(PipelineError, match=r"no usable photos in .*'below_min_dominance': 1"):
        CocoMasks(tmp_path, LabelRule("largest", 0.41)).listing()


@pytest.mark.parametrize(
    ("parts", "splits"),
    [
        (["train2017"], ["train"]),
        (["val2017"], ["train"]),
        (["train2017", "val2017"], ["train", "test"]),
        (["test", "train", "val"], ["test", "train", "val"]),
        (["train", "test"], ["test", "train"]),
    ],
)
def test_official_parts_become_splits(parts: list[str], splits: list[str], tmp_path: Path) -> None:
    for part in parts:
        write_part(tmp_path, part, [photo(1)], [thing(1, 1, 17, box(0, 0, 4, 4))])
    assert [one.split for one in CocoMasks(tmp_path, LabelRule()).listing().entries] == splits


@pytest.mark.parametrize("folder", ["train2017", "images/train2017", "images"])
def test_photos_may_lie_in_three_places(folder: str, tmp_path: Path) -> None:
    write_part(tmp_path, "train2017", [photo(1)], [thing(1, 1, 17, box(0, 0, 4, 4))], folder=folder)
    (one,) = read(CocoMasks(tmp_path, LabelRule()))
    assert one.name == f"{folder}/000000000001.png"


def test_the_lists_can_be_in_any_order(tmp_path: Path) -> None:
    write_part(tmp_path, "train", [photo(1)], [thing(1, 1, 17, box(0, 0, 4, 4)), thing(2, 1, 18, box(5, 5, 9, 9))])
    expected = read(CocoMasks(tmp_path, LabelRule()))
    path = tmp_path / "annotations/instances_train.json"
    path.write_text(json.dumps(dict(reversed(json.loads(path.read_text()).items()))))
    assert read(CocoMasks(tmp_path, LabelRule())) == expected


def test_photos_that_cannot_be_used_are_counted(tmp_path: Path) -> None:
    photos = [
        photo(1), photo(2, file_name="../../secret.png"), photo(3, file_name="/etc/passwd"), photo(4, height=0),
        photo(5, width="10"), photo(6, height=10**6, width=10**6), photo(7), photo(8),
        photo(9, file_name=photo(1)["file_name"]),
        photo(10, file_name="gone/1.png"),
    ]  # fmt: skip
    things = [thing(number, number, 17, box(0, 0, 4, 4)) for number in range(1, 11)]
    things[6]["segmentation"] = {"size": [WIDTH, HEIGHT], "counts": [120]}
    things[7]["segmentation"] = [[0.0, 0.0, 1e300, 0.0, 4.0, 4.0]]
    listing = CocoMasks(write_part(tmp_path / "set", "train", photos, things), LabelRule()).listing()
    assert [one.name for one in listing.entries] == ["train/000000000001.png"]
    assert listing.left_out == {
        "unsafe_name": 1, "no_usable_size": 3, "unfit_outline": 2, "repeated_name": 1, "no_image": 2
    }  # fmt: skip


ONE, THING = photo(1), thing(1, 1, 17, box(0, 0, 4, 4))


def without(entry: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key != name}


@pytest.mark.parametrize(
    ("images", "things", "categories", "message"),
    [
        ([without(ONE, "id")], [THING], CATEGORIES, "entry 0 of images: it has no id"),
        ([ONE, photo(1, file_name="b")], [THING], CATEGORIES, "entry 1 of images: its id 1 is that of an earlier"),
        ([without(ONE, "file_name")], [THING], CATEGORIES, "entry 0 of images: it has no file_name"),
        ([ONE], [without(THING, "image_id")], CATEGORIES, "entry 0 of annotations: it has no image_id"),
        ([ONE], [{**THING, "image_id": 2}], CATEGORIES, "entry 0 of annotations: its image_id is not in"),
        ([ONE], [THING, {**THING, "category_id": 3}], CATEGORIES, "entry 1 of annotations: its category_id is not in"),
        ([ONE], [{**THING, "category_id": True}], CATEGORIES, "entry 0 of annotations: it has no category_id"),
        ([ONE], [THING], [{"id": 17}], "entry 0 of categories: it has no name"),
        ([ONE], [THING], [], "no entries in the list categories"),
        ([], [THING], CATEGORIES, "no entries in the list images"),
        ([ONE], ["text"], CATEGORIES, "entry 0 of annotations is no object"),
    ],
)
def test_ids_that_lead_nowhere_are_errors(
    images: list[Any], things: list[Any], categories: list[Any], message: str, tmp_path: Path
) -> None:
    write_part(tmp_path, "train", images, things, categories)
    with pytest.raises(PipelineError, match=rf"in .*instances_train\.json: .*{message}"):
        CocoMasks(tmp_path, LabelRule()).listing()


@pytest.mark.parametrize(
    "text", ["", "no json", '{"images": [{"id": 1', '{"images": ' + "[" * 200, '{"images": [' + "1, " * 500_000]
)
def test_damaged_files_are_named(text: str, tmp_path: Path) -> None:
    write_part(tmp_path, "train", [ONE], [THING])
    (tmp_path / "annotations/instances_train.json").write_text(text)
    with pytest.raises(PipelineError, match=r"unreadable COCO file in .*instances_train\.json"):
        CocoMasks(tmp_path, LabelRule()).listing()


def test_the_layout_is_checked(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"no annotations/instances_\*\.json"):
        CocoMasks(tmp_path, LabelRule())
    write_part(tmp_path / "a", "extra", [ONE], [THING])
    with pytest.raises(PipelineError, match=r"unclear split .*: extra; name it instances_train"):
        CocoMasks(tmp_path / "a", LabelRule())
    write_part(tmp_path / "b", "train", [ONE], [THING], folder="photos")
    with pytest.raises(PipelineError, match="no folder train, images/train or images"):
        CocoMasks(tmp_path / "b", LabelRule())


def test_real_masks_as_run_lengths(tmp_path: Path, shared_data: Path) -> None:
    """Masks of real photos, written as outlines and as crowds where they are ignored, are read as they were."""
    rows = pq.read_table(shared_data / "masks/labels.parquet").to_pylist()[::15]
    masks = [np.asarray(Image.open(shared_data / "masks" / row["mask"])) for row in rows]
    names = sorted({row["label"] for row in rows})
    photos, things = [], []
    for i, (row, mask) in enumerate(zip(rows, masks, strict=True)):
        photos.append(photo(i, height=mask.shape[0], width=mask.shape[1]))
        things.append(thing(i, i, names.index(row["label"]), run_lengths(mask == 1)))
        things.append(thing(i, i, 0, run_lengths(mask == 255), iscrowd=1))
    write_part(tmp_path, "val2017", photos, things, [{"id": i, "name": name} for i, name in enumerate(names)])
    source = CocoMasks(tmp_path, LabelRule())
    assert [one.class_name for one in source.listing().entries] == [row["label"] for row in rows]
    for found, mask in zip(read(source), masks, strict=True):
        assert pixels(found.mask) == mask.tolist()


def run_lengths(inside: np.ndarray) -> dict[str, Any]:
    """A (h, w) bool mask as lengths of runs, column by column."""
    changes = np.flatnonzero(np.diff(np.concatenate([[False], inside.T.ravel()])))
    return {"size": [*inside.shape], "counts": np.diff([0, *changes, inside.size]).tolist()}
