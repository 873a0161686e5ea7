"""Sets in the layout of PASCAL VOC: classes of objects by hand; and damaged ones."""

import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.evaluation.pictures import picture
from tests.file_bytes import encoded
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.evaluation.datasets.masks.voc import OFFICIAL, VocMasks
from workflow_scripts.evaluation.datasets.picture_sets import Picture

IDS = np.repeat(np.array([[1], [1], [1], [1], [255], [2], [2], [2], [0], [3], [3], [0]], np.uint8), 10, axis=1)
CAT, DOG = OFFICIAL.index("cat") + 1, OFFICIAL.index("dog") + 1
CLASSES = np.array([0, CAT, DOG, DOG, *[0] * 252], np.uint8)  # by object
XML = (
    "<annotation><folder>VOC2012</folder><object><name>cat</name><part><name>head</name></part></object>"
    "<object><name>dog</name></object><object><name>dog</name></object></annotation>"
)


def voc(root: Path, names: list[str], xml: str = XML, ids: np.ndarray = IDS) -> Path:
    for folder in ("JPEGImages", "SegmentationObject", "SegmentationClass", "Annotations", "ImageSets/Segmentation"):
        (root / folder).mkdir(parents=True)
    for number, name in enumerate(names):
        (root / f"JPEGImages/{name}.jpg").write_bytes(picture(number))
        (root / f"SegmentationObject/{name}.png").write_bytes(encoded(ids))
        classes = np.where(ids == 255, 255, CLASSES[ids]).astype(np.uint8)
        (root / f"SegmentationClass/{name}.png").write_bytes(encoded(classes))
        (root / f"Annotations/{name}.xml").write_text(xml)
    return root


def lists(root: Path, **names: list[str]) -> Path:
    for split, listed in names.items():
        (root / f"ImageSets/Segmentation/{split}.txt").write_text("".join(f"{name}\n" for name in listed))
    return root


def read(source: VocMasks) -> list[Picture]:
    return list(source.read(frozenset(one.name for one in source.listing().entries)))


def column(data: bytes | None) -> list[int]:
    assert data is not None
    return [int(one) for one in np.asarray(Image.open(io.BytesIO(data)))[:, 0]]


def test_official_splits_labels_and_maps(tmp_path: Path) -> None:
    root = lists(voc(tmp_path, ["a", "b"]), train=["a"], val=["b"], trainval=["a", "b"])
    source = VocMasks(root)
    assert [tuple(one) for one in source.listing().entries] == [
        ("train", "cat", "JPEGImages/a.jpg"), ("test", "cat", "JPEGImages/b.jpg")
    ]  # fmt: skip
    first, _ = read(source)
    assert first.image == picture(0) and first.object_classes == ("cat", "dog", "dog")
    assert column(first.objects) == IDS[:, 0].tolist()
    assert column(first.mask) == [1, 1, 1, 1, 255, 0, 0, 0, 0, 0, 0, 0]
    with pytest.raises(PipelineError, match="'below_min_dominance': 2"):
        VocMasks(root, 0.5).listing()


def test_without_lists_all_segmented_photos_form_a_single_split(tmp_path: Path) -> None:
    listing = VocMasks(voc(tmp_path, ["b", "a"])).listing()
    assert [(one.split, one.name) for one in listing.entries] == [
        ("train", "JPEGImages/a.jpg"), ("train", "JPEGImages/b.jpg")
    ]  # fmt: skip


def test_without_classes_the_annotation_names_the_objects(tmp_path: Path) -> None:
    root = voc(tmp_path, ["a"], XML.replace("cat", "unicorn"))
    shutil.rmtree(root / "SegmentationClass")
    (one,) = read(VocMasks(root))
    assert one.object_classes == ("unicorn", "dog", "dog")
    assert column(one.mask) == [1, 1, 1, 1, 255, 0, 0, 0, 0, 0, 0, 0]


def test_without_object_masks_each_class_is_a_single_object(tmp_path: Path) -> None:
    root = voc(tmp_path, ["a"])
    shutil.rmtree(root / "SegmentationObject")
    (one,) = read(VocMasks(root))
    assert one.object_classes == ("cat", "dog")
    assert column(one.objects) == [1, 1, 1, 1, 255, 2, 2, 2, 0, 2, 2, 0]


def test_other_classes_under_official_numbers_are_noticed(tmp_path: Path) -> None:
    root = voc(tmp_path, ["a"], XML.replace("cat", "unicorn"))
    with pytest.raises(PipelineError, match=r"no usable photos .*'object_without_class': 1"):
        VocMasks(root).listing()


def test_photos_that_cannot_be_used_are_counted(tmp_path: Path) -> None:
    root = voc(tmp_path / "set", ["a", "few", "bare", "blank"])
    (root / "JPEGImages/extra.jpg").write_bytes(picture(9))
    shutil.rmtree(root / "SegmentationClass")
    (root / "Annotations/few.xml").write_text("<annotation><object><name>cat</name></object></annotation>")
    (root / "Annotations/bare.xml").unlink()
    (root / "SegmentationObject/blank.png").write_bytes(encoded(np.zeros((12, 10), np.uint8)))
    lists(root, train=["a", "a", "few", "bare", "blank", "gone", "extra", "../set/a", "/etc/passwd"])
    listing = VocMasks(root).listing()
    assert [one.name for one in listing.entries] == ["JPEGImages/a.jpg"]
    assert listing.left_out == {
        "repeated_name": 1, "object_without_name": 2, "no_object": 1, "no_image": 1, "no_segmentation": 1,
        "unsafe_name": 2,
    }  # fmt: skip


BOMB = '<!DOCTYPE a [<!ENTITY b "ha">' + "".join(
    f'<!ENTITY b{n} "{f"&b{n - 1 or chr(0)[:0]};" * 10}">' for n in range(1, 10)
) + "]><annotation><object><name>&b9;</name></object></annotation>"  # fmt: skip
OUTSIDE = (
    '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><annotation><object><name>&b;</name></object></annotation>'
)


@pytest.mark.parametrize(
    ("xml", "message"),
    [
        (BOMB, "document type"),
        (OUTSIDE, "document type"),
        ("", "no element"),
        ("<annotation><object>", "no element|unclosed"),
        ("<annotation>&b;</annotation>", "undefined entity"),
        ("<annotation>" + " " * (1 << 20) + "</annotation>", "more than 1048576"),
        ('<?xml version="1.0" encoding="no-such"?><annotation/>', "unknown encoding"),
    ],
)
def test_damaged_and_hostile_annotations_are_named(xml: str, message: str, tmp_path: Path) -> None:
    root = voc(tmp_path, ["a"], xml)
    with pytest.raises(PipelineError, match=rf"unreadable annotation in .*a\.xml: .*({message})"):
        VocMasks(root).listing()


def test_damaged_segmentations_are_named(tmp_path: Path) -> None:
    root = voc(tmp_path, ["a"])
    (root / "SegmentationClass/a.png").write_bytes(encoded(np.zeros((6, 10), np.uint8)))
    with pytest.raises(PipelineError, match=r"corrupt segmentation in .*SegmentationClass/a\.png: \(6, 10\) pixels"):
        VocMasks(root).listing()
    (root / "SegmentationObject/a.png").write_bytes(b"no png")
    with pytest.raises(PipelineError, match=r"corrupt segmentation in .*SegmentationObject/a\.png"):
        VocMasks(root).listing()


def test_a_folder_without_the_voc_layout_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="no SegmentationObject or SegmentationClass"):
        VocMasks(tmp_path)
