import io
from pathlib import Path

import numpy as np
import pytest
import torchvision.datasets
from PIL import Image

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.evaluation.datasets.torchvision_sets import TorchvisionSet, download


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


class Reader:
    """Stands for a torchvision reader: writes a file per split; fails while the network is away."""

    online = True

    def __init__(self, root: str, download: bool, train: bool) -> None:
        assert download
        if not train and not self.online:
            raise RuntimeError("HTTP Error 503")
        Path(root, f"train={train}").write_text("data")


def test_a_download_is_atomic_and_its_error_gives_advice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_an_unknown_torchvision_dataset_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"food102; choose one of aircraft, caltech101, "):
        TorchvisionSet("food102", tmp_path, 0)
    with pytest.raises(PipelineError, match="cifar11"):
        download("cifar11", tmp_path / "x")
    assert list(tmp_path.iterdir()) == []
