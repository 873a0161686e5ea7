import io
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision.datasets
from PIL import Image
from torch.nn.functional import interpolate

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.evaluation.datasets.torchvision_sets import TorchvisionSet, download, scaled_down


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


@pytest.mark.parametrize("size", [(60, 40), (300, 200)])
def test_images_are_scaled_down_linearly_to_a_number_of_pixels_and_stored_as_jpeg(size: tuple[int, int]) -> None:
    across, down = (torch.linspace(0, 255, n) for n in size)
    smooth = torch.stack([across.expand(size[1], -1), down[:, None].expand(-1, size[0]), torch.full(size[::-1], 9.0)])
    buffer = io.BytesIO()
    Image.fromarray(smooth.permute(1, 2, 0).round().byte().numpy()).save(buffer, "PNG")
    made = Image.open(io.BytesIO(scaled_down(buffer.getvalue(), 6_000)))
    expected = (60, 40) if size == (60, 40) else (95, 63)  # 300 x 200, each divided by the root of 10
    assert made.format == "JPEG" and made.size == expected
    resized = interpolate(smooth[None], expected[::-1], mode="bilinear")[0].permute(1, 2, 0)
    assert np.abs(np.asarray(made, np.float32) - resized.numpy()).max() < 8


def test_scaling_down_does_not_antialias_and_keeps_what_is_no_image() -> None:
    stripes = np.zeros((80, 80, 3), np.uint8)
    stripes[:, 1::4] = 255  # every fourth column, where the samples of a quarter's size lie between two
    buffer = io.BytesIO()
    Image.fromarray(stripes).save(buffer, "PNG")
    grey = np.asarray(Image.open(io.BytesIO(scaled_down(buffer.getvalue(), 400))))
    assert grey.shape == (20, 20, 3) and abs(int(grey.mean()) - 127) < 3  # 64 if all four columns counted
    assert scaled_down(b"no image", 400) == b"no image"
