"""COCO-style JSON: one caption per image, the others counted."""

import json
from pathlib import Path

import pytest

from tests.acquisition.own_images import coco, pictures, read, shown
from workflow_scripts.core.errors import PipelineError


def annotation(number: object, image: object, caption: object = "words") -> dict[str, object]:
    return {"id": number, "image_id": image, "caption": caption}


def test_the_first_annotation_that_is_not_blank_is_the_caption(tmp_path: Path) -> None:
    folder = pictures(
        tmp_path / "own", ["train/1.jpg", "train/2.jpg", "train/left.jpg", "val/3.jpg", "train/again.jpg"]
    )
    images = [
        {"id": 2, "file_name": "2.jpg"},
        {"id": 1, "file_name": "1.jpg"},
        {"id": 1, "file_name": "again.jpg", "coco_url": "http://a.test/again.jpg"},
        {"id": 7, "file_name": "gone.jpg", "coco_url": "http://a.test/7.jpg"},
        {"id": 8, "file_name": "../../8.jpg"},
        {"id": "nine", "file_name": "gone.jpg"},
        {"file_name": "no id"},
        "no image",
    ]
    notes = [
        annotation(5, 1, " "),
        annotation(3, 1, "first"),
        annotation(4, 2, "of two"),
        annotation(2, 1, "later"),
        annotation(6, 99, "of nothing"),
        annotation(None, None),
        annotation(10, 7, "by url"),
        annotation(11, 8),
        5,
        annotation(12, "nine", None),
    ]
    coco(folder / "captions.json", images, notes)
    samples = read(folder, "train")
    assert shown(samples) == [
        (None, None, "repeated_id"),
        (None, None, "NoneType"),
        (None, None, "NoneType"),
        ("train/1.jpg", " ", None),
        ("train/1.jpg", "first", None),
        ("train/2.jpg", "of two", None),
        ("train/1.jpg", "later", "further_caption"),
        (None, "of nothing", "no_image"),
        (None, None, "NoneType"),
        (None, "by url", None),
        (None, "words", "bad_path"),
        (None, None, "NoneType"),
        (None, None, "no_image"),
        ("train/left.jpg", None, "no_row"),
    ]
    assert [one.raw["image_id"] for one in samples[4:6]] == ["1", "2"]
    assert (samples[0].raw["image_id"], samples[0].given_url) == ("1", "http://a.test/again.jpg")
    assert samples[9].raw["url"] == "http://a.test/7.jpg"


def test_an_image_without_annotation_has_no_caption(tmp_path: Path) -> None:
    path = coco(
        tmp_path / "a.json", [{"id": n, "coco_url": f"http://a.test/{n}.jpg"} for n in (1, 2)], [annotation(1, 2)]
    )
    assert [(one.raw["image_id"], one.raw["caption"]) for one in read(path)] == [("2", "words"), ("1", None)]


def test_brackets_in_captions_do_not_count_as_nesting_and_a_bom_is_skipped(tmp_path: Path) -> None:
    captions = ["[{" * 200, '"' + "[" * 200, "\\" + "[" * 200 + "\\", "]" * 200]
    path = coco(
        tmp_path / "a.json",
        [{"id": n, "coco_url": f"http://a.test/{n}.jpg", "deep": json.loads("[" * 90 + "]" * 90)} for n in range(4)],
        [annotation(n, n, caption) for n, caption in enumerate(captions)],
    )
    assert [one.raw["caption"] for one in read(path)] == captions
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert [one.raw["caption"] for one in read(path)] == captions


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"images": [', r"unreadable JSON file in .*a\.json"),
        ('{"images": [],\n "annotations": []}', r"no captioned images in .*a\.json: 0 images, none with annotations"),
        ('{"images": [{"id": 1}],\n "labels": 1}', r"no captioned images in .*a\.json: 1 images, none with"),
        ('{"images": [{"id": 1}],\n "annotations": {"a": 1}}', r"no captioned images"),
        (
            '{"images": [{"id": 1, "file_name": "' + "x" * (3 << 20),
            r"unreadable JSON file in .*without a quotation mark",
        ),
        ('{"a":' + "[{" * 20_000, r"unreadable JSON file in .*: nested more than 100 levels deep"),
        ('{"images": [], "a":' + '["[", "\\\\", "\\"",' * 100, r"unreadable JSON file in .*: nested more than 100"),
        ('{"images": [{"id": 1e999}],\n "annotations": []}', r"no captioned images|unreadable JSON file"),
    ],
)
def test_files_that_are_not_coco_captions_are_rejected(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(PipelineError, match=message):
        read(tmp_path / "a.json")
