"""The downstream sets, small, in the layout that each one's README describes: two classes, few images.

In a set with official splits, a class has three training, two validation and two test images. With ``tested`` = 1 the
second class has no test images. Images are PNGs, whatever their name.
"""

import hashlib
import json
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
import torchvision.datasets

from tests.evaluation.pictures import picture
from workflow_scripts.evaluation.datasets.registry import TORCHVISION

EACH = {"train": 3, "val": 2, "test": 2}
UNSPLIT = 12  # images of a class


def put(path: Path, content: bytes | str = "", seed: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes((content.encode() if isinstance(content, str) else content) or picture(seed))


def rows(tested: int, *splits: str) -> Iterator[tuple[str, int, int]]:
    """Split, class and running number (from 1) of each image."""
    number = 0
    for split in splits:
        for label in range(tested if split == "test" else 2):
            for _ in range(EACH[split]):
                number += 1
                yield split, label, number


def food101(root: Path, tested: int) -> None:
    names = ("apple_pie", "waffles")
    lists: dict[str, dict[str, list[str]]] = {"train": {}, "test": {}}
    for split, label, number in rows(tested, "train", "test"):
        lists[split].setdefault(names[label], []).append(f"{names[label]}/{number}")
        put(root / f"food-101/images/{names[label]}/{number}.jpg", seed=number)
    for split, listed in lists.items():
        put(root / f"food-101/meta/{split}.json", json.dumps(listed))
    put(root / "food-101/README.txt", "terms")


def _cifar(tested: int, split: str, key: str) -> bytes:
    labels = [label for one, label, _ in rows(tested, "train", "test") if one == split]
    pixels = np.random.default_rng(len(split)).integers(0, 256, (len(labels), 3072), dtype=np.uint8)
    return pickle.dumps({"data": pixels, key: labels})


def cifar10(root: Path, tested: int) -> None:
    for number in range(1, 6):
        part = (
            _cifar(tested, "train", "labels")
            if number == 1
            else pickle.dumps({"data": np.empty((0, 3072), np.uint8), "labels": []})
        )
        put(root / f"cifar-10-batches-py/data_batch_{number}", part)
    put(root / "cifar-10-batches-py/test_batch", _cifar(tested, "test", "labels"))
    put(root / "cifar-10-batches-py/batches.meta", pickle.dumps({"label_names": ["airplane", "automobile"]}))


def cifar100(root: Path, tested: int) -> None:
    for split in ("train", "test"):
        put(root / f"cifar-100-python/{split}", _cifar(tested, split, "fine_labels"))
    put(root / "cifar-100-python/meta", pickle.dumps({"fine_label_names": ["apple", "aquarium_fish"]}))


def cub2011(root: Path, tested: int) -> None:
    names = ("001.Black_footed_Albatross", "002.Laysan_Albatross")
    lists: dict[str, list[str]] = {"images": [], "image_class_labels": [], "train_test_split": []}
    for split, label, number in rows(tested, "train", "test"):
        name = f"{names[label]}/{number}.jpg"
        lists["images"].append(f"{number} {name}")
        lists["image_class_labels"].append(f"{number} {label + 1}")
        lists["train_test_split"].append(f"{number} {int(split == 'train')}")
        put(root / "CUB_200_2011/images" / name, seed=number)
    lists["classes"] = [f"{label} {name}" for label, name in enumerate(names, start=1)]
    for name, lines in lists.items():
        put(root / f"CUB_200_2011/{name}.txt", "\n".join(lines) + "\n")


def sun397(root: Path, tested: int) -> None:
    names = ("/a/abbey", "/a/apartment_building/outdoor")
    lists: dict[str, list[str]] = {"Training": [], "Testing": []}
    for split, label, number in rows(tested, "train", "test"):
        name = f"{names[label]}/sun_{number:04d}.jpg"
        lists["Training" if split == "train" else "Testing"].append(name)
        put(root / f"SUN397{name}", seed=number)
    put(root / "SUN397/ClassName.txt", "\n".join(names) + "\n")
    for kind, lines in lists.items():
        put(root / f"SUN397/{kind}_01.txt", "\r\n".join(lines) + "\r\n")


sun397_120k = sun397


def cars196(root: Path, tested: int) -> None:
    found: dict[str, list[tuple[int, str]]] = {"train": [], "test": []}
    for split, label, number in rows(tested, "train", "test"):
        found[split].append((label + 1, f"{number:05d}.jpg"))
        put(root / f"stanford_cars/cars_{split}/{number:05d}.jpg", seed=number)
    folder = root / "stanford_cars"
    (folder / "devkit").mkdir()
    for split, place in (("train", "devkit/cars_train_annos"), ("test", "cars_test_annos_withlabels")):
        table = np.array(found[split], dtype=[("class", object), ("fname", object)])
        scipy.io.savemat(folder / f"{place}.mat", {"annotations": table})
    classes = np.array(["AM General Hummer SUV 2000", "Acura RL Sedan 2012"], dtype=object)
    scipy.io.savemat(folder / "devkit/cars_meta.mat", {"class_names": classes})


def aircraft(root: Path, tested: int) -> None:
    names = ("707-320", "Cessna 172")
    lists: dict[str, list[str]] = {"train": [], "val": [], "test": []}
    for split, label, number in rows(tested, "train", "val", "test"):
        lists[split].append(f"{number:07d} {names[label]}")
        put(root / f"fgvc-aircraft-2013b/data/images/{number:07d}.jpg", seed=number)
    for split, lines in lists.items():
        put(root / f"fgvc-aircraft-2013b/data/images_variant_{split}.txt", "\n".join(lines) + "\n")
    put(root / "fgvc-aircraft-2013b/data/variants.txt", "\n".join(names) + "\n")


def dtd(root: Path, tested: int) -> None:
    lists: dict[str, list[str]] = {"train": [], "val": [], "test": []}
    for split, label, number in rows(tested, "train", "val", "test"):
        lists[split].append(f"{('banded', 'dotted')[label]}/{number:04d}.jpg")
        put(root / "dtd/dtd/images" / lists[split][-1], seed=number)
    for split, lines in lists.items():
        put(root / f"dtd/dtd/labels/{split}1.txt", "\n".join(lines) + "\n")


def pets(root: Path, tested: int) -> None:
    lists: dict[str, list[str]] = {"trainval": [], "test": []}
    for split, label, number in rows(tested, "train", "test"):
        name = f"{('Abyssinian', 'pug')[label]}_{number}"
        lists["test" if split == "test" else "trainval"].append(f"{name} {label + 1} {label + 1} 1")
        put(root / f"oxford-iiit-pet/images/{name}.jpg", seed=number)
    for split, lines in lists.items():
        put(root / f"oxford-iiit-pet/annotations/{split}.txt", "\n".join(lines) + "\n")


def _class_folders(folder: Path, names: tuple[str, str], tested: int, name: str) -> None:
    """A class without test images is one with so few that none are left for it."""
    for label, class_name in enumerate(names):
        for number in range(1, (UNSPLIT if label < tested else 2) + 1):
            put(folder / class_name / name.format(class_name, number), seed=100 * label + number)


def caltech101(root: Path, tested: int) -> None:
    folder = root / "caltech101/101_ObjectCategories"
    _class_folders(folder, ("ant", "barrel"), tested, "image_{1:04d}.jpg")
    put(folder / "BACKGROUND_Google/image_0001.jpg")


def caltech101_background(root: Path, tested: int) -> None:
    names = "BACKGROUND_Google", "ant"
    _class_folders(root / "caltech101/101_ObjectCategories", names, tested, "image_{1:04d}.jpg")
    put(root / "caltech101/101_ObjectCategories/BACKGROUND_Google/tmp", "no image")


def flowers(root: Path, tested: int) -> None:
    folder = root / "flowers-102"
    ids: dict[str, list[int]] = {"trnid": [], "valid": [], "tstid": []}
    labels = []
    for split, label, number in rows(tested, "train", "val", "test"):
        ids[{"train": "trnid", "val": "valid", "test": "tstid"}[split]].append(number)
        labels.append(label + 1)
        put(folder / f"jpg/image_{number:05d}.jpg", seed=number)
    scipy.io.savemat(folder / "setid.mat", ids)
    scipy.io.savemat(folder / "imagelabels.mat", {"labels": labels})


def stl10(root: Path, tested: int) -> None:
    for split in ("train", "test"):
        labels = [label for one, label, _ in rows(tested, "train", "test") if one == split]
        pixels = np.random.default_rng(len(split)).integers(0, 256, (len(labels), 3, 96, 96), dtype=np.uint8)
        put(root / f"stl10_binary/{split}_X.bin", pixels.tobytes())
        put(root / f"stl10_binary/{split}_y.bin", bytes(label + 1 for label in labels))
    put(root / "stl10_binary/unlabeled_X.bin", bytes(3 * 96 * 96))
    put(root / "stl10_binary/class_names.txt", "airplane\nbird\n")
    put(root / "stl10_binary/fold_indices.txt", "0 1\n")


def eurosat(root: Path, tested: int) -> None:
    _class_folders(root / "eurosat/2750", ("Forest", "River"), tested, "{}_{}.jpg")


def resisc45(root: Path, tested: int) -> None:
    _class_folders(root / "NWPU-RESISC45", ("airplane", "wetland"), tested, "{}_{:03d}.jpg")


def pcam(root: Path, tested: int) -> None:
    h5py = pytest.importorskip("h5py")
    (root / "pcam").mkdir(parents=True)
    for split, name in (("train", "train"), ("val", "valid"), ("test", "test")):
        labels = [label for one, label, _ in rows(tested, "train", "val", "test") if one == split]
        pixels = np.random.default_rng(len(name)).integers(0, 256, (len(labels), 96, 96, 3), dtype=np.uint8)
        for part, values in (("x", pixels), ("y", np.array(labels, np.uint8).reshape(-1, 1, 1, 1))):
            with h5py.File(root / f"pcam/camelyonpatch_level_2_split_{name}_{part}.h5", "w") as file:
                file[part] = values


LAYOUTS = {name: globals()[name] for name in TORCHVISION if name != "imagenet1k"}  # which has tests of its own


def trust(name: str, root: Path, patch: pytest.MonkeyPatch) -> None:
    """Let torchvision's reader expect the checksums that the files have now."""

    def md5(path: Path) -> str:
        return hashlib.md5(path.read_bytes()).hexdigest()

    def stated(folder: str, files: list[list[str]]) -> list[list[str]]:
        return [[file, md5(root / folder / file)] for file, _ in files]

    readers: dict[str, Any] = {
        "cifar10": torchvision.datasets.CIFAR10,
        "cifar100": torchvision.datasets.CIFAR100,
        "stl10": torchvision.datasets.STL10,
    }
    if name in readers:
        reader = readers[name]
        for files in ("train_list", "test_list"):
            patch.setattr(reader, files, stated(reader.base_folder, getattr(reader, files)))
    if name.startswith("cifar"):
        meta = readers[name].meta
        patch.setattr(readers[name], "meta", meta | {"md5": md5(root / readers[name].base_folder / meta["filename"])})
    if name == "flowers":
        reader = torchvision.datasets.Flowers102
        files = {
            key: (file, md5(root / "flowers-102" / file))
            for key, (file, _) in reader._file_dict.items()
            if key != "image"
        }
        patch.setattr(reader, "_file_dict", reader._file_dict | files)
