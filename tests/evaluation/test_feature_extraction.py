from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from tests.evaluation.pictures import picture, write_tar
from tests.helpers import hashes
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.shards import TarImages
from workflow_scripts.evaluation.feature_extraction import batches, extract
from workflow_scripts.models.backbones import build_backbone
from workflow_scripts.models.preprocessing import normalise, prepare


@pytest.fixture
def images(tmp_path: Path) -> TarImages:
    data = [picture(i, (20 + i, 31)) for i in range(7)]
    path = write_tar(tmp_path / "x.tar", {f"{i}.img": one for i, one in enumerate(data)})
    content = path.read_bytes()
    offsets = np.array([content.index(one) for one in data])
    return TarImages([path], np.zeros(7, dtype=int), offsets, np.array([len(one) for one in data]), hashes(data))


def test_features_are_the_networks_own_whatever_the_workers(images: TarImages, tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = build_backbone("resnet_small")[0].eval()
    found = extract(network, images, 16, 3, "cpu", 1, tmp_path)
    assert found.shape == (7, 128) and found.dtype == np.float32
    assert (extract(network, images, 16, 3, "cpu", 4, tmp_path) == found).all()
    with torch.no_grad():
        one_by_one = [network(normalise(prepare(images.image(i), 16)[None]))[0].numpy() for i in range(7)]
    assert found == pytest.approx(np.stack(one_by_one), abs=1e-5)


def test_images_are_scaled_as_pillow_does_by_the_wanted_filter(images: TarImages, tmp_path: Path) -> None:
    seen: dict[str, np.ndarray] = {}
    for resize, filtered in (("bilinear", Image.Resampling.BILINEAR), ("bicubic", Image.Resampling.BICUBIC)):
        seen[resize] = extract(nn.Flatten(), images, 16, 3, "cpu", 1, tmp_path, resize)
        for row in range(7):
            image = images.image(row)
            wide = 16 * image.width // image.height
            small = image.resize((wide, 16), filtered)
            left = round((wide - 16) / 2)
            crop = torch.tensor(np.asarray(small.crop((left, 0, left + 16, 16)))).permute(2, 0, 1)[None]
            # One of 255 levels, divided by the smallest deviation that pixels are normalised with.
            assert seen[resize][row] == pytest.approx(normalise(crop).flatten().numpy(), abs=1.01 / 255 / 0.224)
    assert np.abs(seen["bilinear"] - seen["bicubic"]).max() > 0.1


def test_a_diverged_network_is_named(images: TarImages, tmp_path: Path) -> None:
    class Diverged(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.mean(dim=(2, 3)) / 0

    with pytest.raises(PipelineError, match=r"features not finite in .*last\.safetensors: 7 of 7"):
        extract(Diverged(), images, 8, 4, "cpu", 1, tmp_path / "last.safetensors")


def test_batches_load_one_ahead_and_pass_on_faults() -> None:
    loaded: list[int] = []

    def load(row: int) -> torch.Tensor:
        loaded.append(row)
        if row == 8:
            raise PipelineError("corrupt image", "x", row, "y")
        return torch.tensor(row)

    stream = batches(np.arange(2, 12), 3, load, 1)
    rows, values = next(stream)
    assert rows.tolist() == values.tolist() == [2, 3, 4]
    assert max(loaded, default=0) <= 7
    next(stream)
    with pytest.raises(PipelineError, match="corrupt image"):
        next(stream)
    assert list(batches(np.arange(0), 3, load, 1)) == []
