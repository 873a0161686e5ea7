import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.evaluation.pictures import picture
from tests.file_bytes import encoded
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.evaluation.datasets.mask_sets import ImageNetS, object_mask


def segmentation(ids: np.ndarray) -> bytes:
    return encoded(np.stack([ids % 256, ids // 256, np.zeros_like(ids)], axis=-1).astype(np.uint8))


def imagenet_s(root: Path, train: bool) -> Path:
    for c, name in enumerate(("n01", "n02"), start=1):
        for folder in ("validation", "validation-segmentation", *(["train"] if train else [])):
            (root / folder / name).mkdir(parents=True)
        ids = np.full((12, 10), 3 - c)
        ids[:4], ids[4:6], ids[6:8] = c, 1000, 0
        (root / f"validation/{name}/a.png").write_bytes(picture(c))
        (root / f"validation-segmentation/{name}/a.png").write_bytes(segmentation(ids))
        (root / f"validation/{name}/unsegmented.png").write_bytes(picture(c))
        if train:
            (root / f"train/{name}/b.png").write_bytes(picture(9 + c))
    return root


def test_imagenet_s_masks_are_read_for_test_images(tmp_path: Path) -> None:
    source = ImageNetS(imagenet_s(tmp_path, train=True))
    listing = source.listing()
    assert [(one.split, one.name) for one in listing.entries] == [
        ("train", "train/n01/b.png"),
        ("train", "train/n02/b.png"),
        ("test", "validation/n01/a.png"),
        ("test", "validation/n02/a.png"),
    ]
    assert listing.left_out == {"no_segmentation": 2}
    pictures = {one.name: one for one in source.read(frozenset(one.name for one in listing.entries))}
    assert pictures["train/n01/b.png"].mask is None
    for name in ("validation/n01/a.png", "validation/n02/a.png"):
        mask = pictures[name].mask
        assert mask is not None
        pixels = np.asarray(Image.open(io.BytesIO(mask)))
        assert (pixels[:4] == 1).all() and (pixels[4:6] == 255).all() and (pixels[6:] == 0).all()


def test_imagenet_s_without_training_images_is_unsplit(tmp_path: Path) -> None:
    assert {one.split for one in ImageNetS(imagenet_s(tmp_path, train=False)).listing().entries} == {"train"}


def test_class_ids_above_255_use_the_second_channel(tmp_path: Path) -> None:
    (tmp_path / "s.png").write_bytes(segmentation(np.array([[300, 44], [1000, 0]])))
    assert np.asarray(Image.open(io.BytesIO(object_mask(tmp_path / "s.png", 300)))).tolist() == [[1, 0], [255, 0]]
    (tmp_path / "s.png").write_bytes(b"no png")
    with pytest.raises(PipelineError, match=r"corrupt segmentation in .*s\.png"):
        object_mask(tmp_path / "s.png", 300)


def test_imagenet_s_without_its_folders_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="validation"):
        ImageNetS(tmp_path)
