from pathlib import Path

import numpy as np

from tests.evaluation.pictures import picture
from tests.file_bytes import encoded, parquet, write_tar
from workflow_scripts.evaluation.datasets.folder_sets import FolderSet, MasksTar


def task_tar(path: Path) -> Path:
    names = ["train/house/1.png", "train/tree/2.png", "test/house/3.png", "notes.txt", "../train/house/4.png"]
    return write_tar(path, {name: picture(i) for i, name in enumerate(names)})


def masks_tar(path: Path, labels: list[str]) -> Path:
    rows = [{"image_id": f"m{i}", "label": label} for i, label in enumerate(labels)]
    members = {f"images/m{i}.png": picture(50 + i) for i in range(len(labels))}
    members |= {f"masks/m{i}.png": encoded(np.full((12, 10), i, np.uint8)) for i in range(len(labels))}
    return write_tar(path, {**members, "labels.parquet": parquet(rows)})


def test_a_world_task_lists_its_splits_and_classes(tmp_path: Path) -> None:
    source = FolderSet(task_tar(tmp_path / "t.tar"), one_tar=True)
    listing = source.listing()
    assert [(one.split, one.class_name) for one in listing.entries] == [
        ("train", "house"),
        ("train", "tree"),
        ("test", "house"),
    ]
    assert listing.left_out == {"unsafe_name": 1, "not_an_image_name": 1}
    assert [one.image for one in source.read(frozenset({"test/house/3.png"}))] == [picture(2)]


def test_masks_without_a_task_are_unsplit(tmp_path: Path) -> None:
    source = MasksTar(masks_tar(tmp_path / "m.tar", ["house", "tree"]))
    listing = source.listing()
    assert [(one.split, one.name) for one in listing.entries] == [
        ("train", "images/m0.png"),
        ("train", "images/m1.png"),
    ]
    (found,) = source.read(frozenset({"images/m1.png"}))
    assert found.image == picture(51) and found.mask == encoded(np.full((12, 10), 1, np.uint8))


def test_masks_with_a_task_use_its_training_images(tmp_path: Path) -> None:
    task = FolderSet(task_tar(tmp_path / "t.tar"), one_tar=True)
    source = MasksTar(masks_tar(tmp_path / "m.tar", ["house", "tree"]), task)
    listing = source.listing()
    assert [(one.split, one.name) for one in listing.entries] == [
        ("train", "train/house/1.png"),
        ("train", "train/tree/2.png"),
        ("test", "images/m0.png"),
        ("test", "images/m1.png"),
    ]
    assert listing.left_out["test_image_of_training_task"] == 1
    found = list(source.read(frozenset(one.name for one in listing.entries)))
    assert [one.name for one in found] == [one.name for one in listing.entries]
    assert [one.mask is None for one in found] == [True, True, False, False]
