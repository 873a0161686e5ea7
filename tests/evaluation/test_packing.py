import io
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torchvision.transforms import InterpolationMode, v2

from tests.evaluation.pictures import picture
from tests.file_bytes import encoded
from tests.helpers import tar_images
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.evaluation.packing import pack_images, pack_masks
from workflow_scripts.models.networks.view import View
from workflow_scripts.models.preprocessing import fit

MODES = {"bilinear": InterpolationMode.BILINEAR, "bicubic": InterpolationMode.BICUBIC}
SIDES, SIZES = st.integers(1, 90), st.integers(8, 48)


@given(height=SIDES, width=SIDES, size=SIZES, more=st.integers(0, 20), mode=st.sampled_from(list(MODES)))
@settings(max_examples=150, deadline=None)
def test_the_transform_equals_torchvision_byte_for_byte(
    height: int, width: int, size: int, more: int, mode: str
) -> None:
    pixels = torch.from_numpy(
        np.random.default_rng(height * 100 + width).integers(0, 256, (3, height, width), np.uint8)
    )
    theirs = v2.Compose([v2.Resize([size + more], MODES[mode], antialias=True), v2.CenterCrop(size)])
    assert torch.equal(fit(pixels, size, mode, size + more), theirs(pixels))


@given(height=SIDES, width=SIDES, size=SIZES, more=st.integers(0, 20))
@settings(max_examples=50, deadline=None)
def test_masks_are_cropped_like_the_images(height: int, width: int, size: int, more: int) -> None:
    mask = torch.from_numpy(np.random.default_rng(height * 100 + width).integers(0, 2, (1, height, width), np.uint8))
    nearest = v2.Resize([size + more], InterpolationMode.NEAREST_EXACT)
    assert torch.equal(fit(mask, size, "nearest-exact", size + more), v2.CenterCrop(size)(nearest(mask)))


@pytest.mark.parametrize("mode", MODES)
def test_packed_images_equal_torchvision_for_any_number_of_workers(mode: str, tmp_path: Path) -> None:
    data = [picture(i, (20 + i, 31)) for i in range(7)]
    images, view = tar_images(tmp_path / "x.tar", data), View(size=14, side=16, resize=mode)
    for workers in (1, 3):
        pack_images(images, view, tmp_path / f"{workers}.npy", workers)
    assert (tmp_path / "1.npy").read_bytes() == (tmp_path / "3.npy").read_bytes()
    packed = np.load(tmp_path / "1.npy", mmap_mode="r")
    theirs = v2.Compose([v2.PILToTensor(), v2.Resize(16, MODES[mode], antialias=True), v2.CenterCrop(14)])
    for row, one in enumerate(data):
        expected = theirs(Image.open(io.BytesIO(one)).convert("RGB"))
        assert (packed[row] == expected.permute(1, 2, 0).numpy()).all()
    assert packed.shape == (7, 14, 14, 3) and packed.dtype == np.uint8


def test_masks_are_packed_only_for_rows_with_a_mask(tmp_path: Path) -> None:
    mask = np.zeros((32, 48), np.uint8)
    mask[:, 8:24] = 1  # after halving and cutting 4 columns at each side: columns 0..8
    masks, paths = tar_images(tmp_path / "m.tar", [encoded(mask)] * 3), (tmp_path / "a.npy", tmp_path / "b.npy")
    masks.size[1] = -1
    pack_masks(masks, "abc", View(size=16, side=16, resize="bicubic"), *paths, "x")
    packed, rows = map(np.load, paths)
    assert rows.tolist() == [0, 2] and packed.shape == (2, 16, 16)
    assert (packed[:, :, :8] == 1).all() and (packed[:, :, 8:] == 0).all()
    masks.size[:] = -1
    pack_masks(masks, "abc", View(size=16, side=16, resize="bicubic"), *paths, "x")
    assert [np.load(path).shape for path in paths] == [(0, 16, 16), (0,)]


@pytest.mark.parametrize(
    ("wrong", "named"), [(np.full((4, 4), 3), r"\[3\]"), (np.zeros((4, 4, 3)), r"\(4, 4, 3\)")], ids=["value", "colour"]
)
def test_a_mask_with_other_values_or_of_colours_is_named(wrong: np.ndarray, named: str, tmp_path: Path) -> None:
    masks = tar_images(tmp_path / "m.tar", [encoded(one.astype(np.uint8)) for one in (np.ones((4, 4)), wrong)])
    with pytest.raises(PipelineError, match=f"invalid object mask in dataset pets: second: {named}"):
        view = View(size=4, side=4, resize="bilinear")
        pack_masks(masks, ["first", "second"], view, tmp_path / "a", tmp_path / "b", "dataset pets")
