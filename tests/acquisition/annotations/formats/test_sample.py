"""Several captions of an image, in the forms that datasets have: which are used, and what counts the others."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.acquisition.own_images import coco, pictures, read
from tests.acquisition.pictures import jpeg
from tests.file_bytes import write_tar
from workflow_scripts.acquisition.annotations.formats.layout import Choose
from workflow_scripts.core.errors import PipelineError

TEXTS = ["A dog.", "A brown dog runs.", "Dogs!"]
ROW = {"image": "a.jpg", "caption": TEXTS}


def lines(folder: Path) -> None:
    (folder / "a.txt").write_text("\n".join(TEXTS))


def tar(folder: Path) -> None:
    (folder / "a.jpg").unlink()
    write_tar(folder / "0.tar", {"a.jpg": jpeg(8, 8), "a.txt": "\n".join(TEXTS)})


def hub(folder: Path) -> None:
    pq.write_table(pa.Table.from_pylist([{"filename": "a.jpg", "sentences": TEXTS}]), folder / "t.parquet")


def csv(folder: Path) -> None:
    (folder / "captions.txt").write_text("image,caption\n" + "".join(f"a.jpg,{text}\n" for text in TEXTS))


def flickr8k(folder: Path) -> None:
    rows = (f"a.jpg#{number}\t{text}\n" for number, text in enumerate(TEXTS))
    (folder / "Flickr8k.token.txt").write_text("".join(rows))


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


FORMS = [lines, tar, hub, csv, flickr8k, coco_file, karpathy, list_of_rows, redcaps]


def captions(folder: Path, choose: Choose | None) -> list[str]:
    used = [one for one in read(folder, choose=choose) if one.unfit is None]
    assert all(one.image is not None and one.image.path in ("a.jpg", "0.tar") for one in used)
    return [one.raw["caption"] for one in used]


@pytest.mark.parametrize("form", FORMS)
def test_one_caption_of_an_image_is_chosen_or_each(tmp_path: Path, form: Callable[[Path], None]) -> None:
    form(folder := pictures(tmp_path / "own", ["a.jpg"]))
    assert captions(folder, "first") == TEXTS[:1]
    assert captions(folder, "longest") == [TEXTS[1]]
    assert captions(folder, "each") == TEXTS
    (drawn,) = captions(folder, "random")
    assert drawn in TEXTS and captions(folder, "random") == [drawn]
    ids = [one.raw["image_id"] for one in read(folder, choose="each")]
    assert [one.rpartition("-")[2] for one in ids] == ["0", "1", "2"] and len({one[:-2] for one in ids}) == 1


@pytest.mark.parametrize("form", [csv, list_of_rows, flickr8k, coco_file])
def test_rows_of_an_image_that_are_not_chosen_are_counted(tmp_path: Path, form: Callable[[Path], None]) -> None:
    form(folder := pictures(tmp_path / "own", ["a.jpg"]))
    assert [one.unfit for one in read(folder, choose="longest")] == ["further_caption", None, "further_caption"]


def test_a_random_choice_depends_on_the_image_and_not_on_the_order(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "own", [f"{number}.jpg" for number in range(40)])
    found = []
    for texts in (TEXTS, TEXTS[::-1]):
        rows = [{"image": f"{number}.jpg", "caption": texts} for number in range(40)]
        (folder / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        found.append(captions_by_image(read(folder, choose="random")))
    assert found[0] == found[1] and set(found[0].values()) == set(TEXTS)


def captions_by_image(samples: list[Any]) -> dict[str, str]:
    return {one.image.path: one.raw["caption"] for one in samples}


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
