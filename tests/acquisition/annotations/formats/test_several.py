"""Several captions of an image, in the forms that datasets have: the first is used."""

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.acquisition.own_images import coco, pictures, read
from workflow_scripts.core.errors import PipelineError

TEXTS = ["A dog.", "A brown dog runs.", "Dogs!"]
ROW = {"image": "a.jpg", "caption": TEXTS}


def hub(folder: Path) -> None:
    pq.write_table(pa.Table.from_pylist([{"filename": "a.jpg", "sentences": TEXTS}]), folder / "t.parquet")


def csv(folder: Path) -> None:
    (folder / "captions.txt").write_text("image,caption\n" + "".join(f"a.jpg,{text}\n" for text in TEXTS))


def coco_file(folder: Path) -> None:
    notes = [{"id": number, "image_id": 1, "caption": text} for number, text in enumerate(TEXTS)]
    coco(folder / "captions.json", [{"id": 1, "file_name": "a.jpg"}], notes)


def karpathy(folder: Path) -> None:
    sentences = [{"raw": text, "tokens": text.split(), "sentid": number} for number, text in enumerate(TEXTS)]
    images = [{"filename": "a.jpg", "filepath": ".", "sentences": sentences, "split": "train"}]
    (folder / "dataset.json").write_text(json.dumps({"images": images, "dataset": "coco"}))


def list_of_rows(folder: Path) -> None:
    (folder / "karpathy_train.json").write_text(json.dumps([{**ROW, "caption": text} for text in TEXTS]))


def redcaps(folder: Path) -> None:
    (folder / "birds_2020.json").write_text(json.dumps({"info": {}, "annotations": [ROW]}))


FORMS = [hub, csv, coco_file, karpathy, list_of_rows, redcaps]


@pytest.mark.parametrize("form", FORMS)
def test_the_first_caption_of_an_image_is_used(tmp_path: Path, form: Callable[[Path], None]) -> None:
    form(folder := pictures(tmp_path / "own", ["a.jpg"]))
    first, *others = read(folder)
    assert first.image is not None and first.image.path == "a.jpg" and first.raw["caption"] == TEXTS[0]
    assert len(others) in (0, 2) and first.unfit is None
    for one in others:
        assert one.unfit == "further_caption" or one.raw["image_id"] == first.raw["image_id"], "counted as repeated_id"


def test_blank_captions_and_those_that_are_no_text_are_not_chosen_first(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "own", ["a.jpg", "b.jpg"])
    rows = [{"image": "a.jpg", "caption": ["", None, " ", "words"]}, {"image": "b.jpg", "caption": []}]
    (folder / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert [one.raw["caption"] for one in read(folder)] == ["words", None]


def test_lists_that_were_written_as_text_are_refused(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "own", ["a.jpg"])
    (folder / "t.csv").write_text("image,caption\na.jpg,\"['A dog.', 'It runs.']\"\na.jpg,plain\n")
    with pytest.raises(PipelineError, match=r"lists written as text in .*: column caption has \['A dog.*df.explode"):
        read(folder)
    (folder / "t.csv").write_text("image,caption\na.jpg,\"['quoted']\"\na.jpg,plain\na.jpg,plain\n")
    assert len(read(folder)) == 3


def test_coco_files_in_a_subfolder_are_named(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "own", ["train2017/a.jpg"])
    coco(folder / "annotations/captions_train2017.json", [], [])
    coco(folder / "annotations/instances_train2017.json", [], [])
    with pytest.raises(PipelineError, match=r"set annotations\.table: annotations/captions_train2017\.json"):
        read(folder)
    (folder / "train2017/a.txt").write_text("with text files, it is a folder of images")
    assert [one.raw["caption"] for one in read(folder)] == ["with text files, it is a folder of images"]
