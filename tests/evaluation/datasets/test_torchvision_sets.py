import io
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torchvision.datasets
from PIL import Image

from tests.evaluation.pictures import picture
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.evaluation.datasets.downstream_set import Torchvision
from workflow_scripts.evaluation.datasets.registry import TORCHVISION
from workflow_scripts.evaluation.datasets.torchvision_sets import TorchvisionSet, download


def put(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(picture(seed))


def names(source: TorchvisionSet) -> frozenset[str]:
    return frozenset(one.name for one in source.listing().entries)


def test_a_set_with_official_splits_and_files(tmp_path: Path) -> None:
    lines = {"train": ["banded/a.jpg", "dotted/b.jpg"], "val": ["banded/c.jpg"], "test": ["dotted/d.jpg"]}
    (tmp_path / "dtd/dtd/labels").mkdir(parents=True)
    for split, files in lines.items():
        (tmp_path / f"dtd/dtd/labels/{split}1.txt").write_text("\n".join(files))
        for i, name in enumerate(files):
            put(tmp_path / "dtd/dtd/images" / name, i)
    source = TorchvisionSet("dtd", tmp_path, 0)
    assert [(one.split, one.class_name, one.name[-5:]) for one in source.listing().entries] == [
        *[("train", "banded", "a.jpg"), ("train", "dotted", "b.jpg")],
        *[("val", "banded", "c.jpg"), ("test", "dotted", "d.jpg")],
    ]
    assert [one.image for one in source.read(names(source))] == [picture(0), picture(1), picture(0), picture(0)]


def test_a_set_without_splits_gets_fixed_counts(tmp_path: Path) -> None:
    for c, name in enumerate(("BACKGROUND_Google", "ant", "barrel")):
        for i in range(1, 35):
            put(tmp_path / f"caltech101/101_ObjectCategories/{name}/image_{i:04d}.jpg", 100 * c + i)
    (tmp_path / "caltech101/Annotations").mkdir()
    listing = TorchvisionSet("caltech101", tmp_path, 0).listing()
    assert Counter((one.split, one.class_name) for one in listing.entries) == {
        **{("train", name): 30 for name in ("ant", "barrel")},
        **{("test", name): 4 for name in ("ant", "barrel")},
    }
    assert listing.classes == ["ant", "barrel"]
    assert listing.entries == TorchvisionSet("caltech101", tmp_path, 0).listing().entries
    assert listing.entries != TorchvisionSet("caltech101", tmp_path, 1).listing().entries


def test_eurosat_counts_are_of_the_whole_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("Forest", "River"):
        for i in range(6):
            put(tmp_path / f"eurosat/2750/{name}/{name}_{i}.jpg", i)
    layout = TORCHVISION["eurosat"].layout
    assert isinstance(layout, Torchvision)
    fewer = replace(layout, counts={"train": 4, "val": 3, "test": 3})
    monkeypatch.setitem(TORCHVISION, "eurosat", replace(TORCHVISION["eurosat"], layout=fewer))
    listing = TorchvisionSet("eurosat", tmp_path, 0).listing()
    assert Counter(one.split for one in listing.entries) == {"train": 4, "val": 3, "test": 3}
    assert +listing.left_out == {"outside_split_counts": 2}


def test_pets_paths(tmp_path: Path) -> None:
    folder = tmp_path / "oxford-iiit-pet"
    (folder / "annotations").mkdir(parents=True)
    (folder / "annotations/trainval.txt").write_text("Abyssinian_1 1 1 1\npug_2 2 2 1\n")
    (folder / "annotations/test.txt").write_text("pug_3 2 2 1\nAbyssinian_4 1 1 1\n")
    for i, name in enumerate(("Abyssinian_1", "pug_2", "pug_3", "Abyssinian_4")):
        put(folder / f"images/{name}.jpg", i)
    source = TorchvisionSet("pets", tmp_path, 0)
    assert [(one.split, one.class_name) for one in source.listing().entries] == [
        *[("train", "Abyssinian"), ("train", "Pug"), ("test", "Pug"), ("test", "Abyssinian")],
    ]
    assert [one.image for one in source.read(names(source))] == [picture(i) for i in range(4)]


class FakeArrays:
    classes = ["zero", "one"]

    def __init__(self, root: str, train: bool, download: bool) -> None:
        rng = np.random.default_rng(int(train))
        self.data, self.targets = rng.integers(0, 256, (5, 8, 8, 3), dtype=np.uint8), [0, 1, 0, 1, 1]

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, row: int) -> tuple[Image.Image, int]:
        return Image.fromarray(self.data[row]), self.targets[row]


def test_arrays_become_png_without_loss(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torchvision.datasets, "CIFAR10", FakeArrays)
    source = TorchvisionSet("cifar10", tmp_path, 0)
    entries = source.listing().entries
    assert [one.class_name for one in entries[:5]] == ["zero", "one", "zero", "one", "one"]
    (found,) = source.read(frozenset({"test/0000003"}))
    assert (np.asarray(Image.open(io.BytesIO(found.image))) == FakeArrays("", False, False).data[3]).all()


@pytest.mark.parametrize("name", sorted(TORCHVISION))
def test_missing_files_are_one_clear_error(name: str, tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="dataset not found"):
        TorchvisionSet(name, tmp_path, 0)


class Reader:
    """Stands for a torchvision reader: writes a file per split; fails while the network is away."""

    online = True

    def __init__(self, root: str, download: bool, train: bool) -> None:
        assert download
        if not train and not self.online:
            raise RuntimeError("HTTP Error 503")
        Path(root, f"train={train}").write_text("data")


def test_a_download_is_atomic_and_its_fault_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torchvision.datasets, "CIFAR10", Reader)
    monkeypatch.setattr(Reader, "online", False)
    root = tmp_path / "data" / "cifar10"
    with pytest.raises(
        PipelineError, match=r"download failed in .*cifar10: cifar10: HTTP Error 503; put there: the files"
    ):
        download("cifar10", root)
    assert not root.exists()
    monkeypatch.setattr(Reader, "online", True)
    download("cifar10", root)
    assert sorted(path.name for path in root.iterdir()) == ["train=False", "train=True"]


def test_unknown_name(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"food102; choose one of aircraft, caltech101, "):
        TorchvisionSet("food102", tmp_path, 0)
    with pytest.raises(PipelineError, match="cifar11"):
        download("cifar11", tmp_path / "x")
    assert list(tmp_path.iterdir()) == []
