import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.evaluation.datasets.masks.objects import class_mask, object_picture, png, read_numbers

CLASSES = ["cup", "cat", "cup", "dog"]
IDS = np.array([[0, 1, 2], [3, 4, 255]], np.uint8)


def test_a_mask_holds_all_objects_of_a_class() -> None:
    assert class_mask(IDS, CLASSES, "cup").tolist() == [[0, 1, 0], [1, 0, 255]]
    assert class_mask(IDS, [5, -1, 5, 2], 2).tolist() == [[0, 0, 0], [0, 1, 255]]
    assert class_mask(IDS, CLASSES, "cow").tolist() == [[0, 0, 0], [0, 0, 255]]


def test_a_single_object_needs_no_map() -> None:
    one = object_picture("a", b"image", np.minimum(IDS, 1), ["cat"], "cat")
    assert (one.objects, one.object_classes) == (None, ())
    several = object_picture("a", b"image", IDS, CLASSES, "cat")
    assert several.objects is not None and several.object_classes == tuple(CLASSES)
    assert (np.asarray(Image.open(io.BytesIO(several.objects))) == IDS).all()


def test_numbers_are_read_from_palettes_and_grey_values(tmp_path: Path) -> None:
    coloured = Image.fromarray(IDS, "P") if hasattr(Image, "P") else Image.fromarray(IDS).convert("P")
    coloured.putdata(IDS.ravel().tolist())
    coloured.putpalette([number % 256 for number in range(768)])
    coloured.save(tmp_path / "palette.png")
    (tmp_path / "grey.png").write_bytes(png(IDS))
    for name in ("palette.png", "grey.png"):
        assert read_numbers(tmp_path / name).tolist() == IDS.tolist()


@pytest.mark.parametrize("data", [b"", b"no png", png(IDS)[:40]])
def test_damaged_segmentations_are_named(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "s.png").write_bytes(data)
    with pytest.raises(PipelineError, match=r"corrupt segmentation in .*s\.png"):
        read_numbers(tmp_path / "s.png")


def test_a_colour_mask_is_refused(tmp_path: Path) -> None:
    Image.new("RGB", (3, 2)).save(tmp_path / "s.png")
    with pytest.raises(PipelineError, match="mode RGB, not numbers"):
        read_numbers(tmp_path / "s.png")
