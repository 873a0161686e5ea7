"""Objects that captions mention, counted by hand after CHAIR."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.bad_files import refused
from workflow_scripts.captions.diagnostics.objects import ObjectNames, read_objects, read_synonyms
from workflow_scripts.captions.diagnostics.words import words_of
from workflow_scripts.core.errors import PipelineError

NAMES = {"person", "dog", "hot dog", "wine glass", "cup", "tv/monitor"}
SYNONYMS = {"person": ["man", "baby"], "wine glass": ["glass"], "cup": ["glass"], "laptop": ["computer"]}


@pytest.mark.parametrize(
    ("caption", "present", "counts"),
    [
        ("A man and a man walk their dogs", {"person"}, (3, 1)),
        ("a hot dog", {"dog"}, (1, 1)),  # the longest name
        ("a hot dog for two dogs", {"dog"}, (2, 1)),
        ("a hot day, dog!", {"dog"}, (1, 0)),
        ("two babies with glasses", {"person", "cup"}, (2, 0)),  # a glass is a wine glass or a cup
        ("two babies with glasses", {"dog"}, (2, 2)),
        ("a TV/monitor and a computer", {"tv/monitor"}, (2, 1)),  # no image has a laptop, but captions can name one
        ("what a day", {"dog"}, (0, 0)),
        ("", set(), (0, 0)),
        ("a dog", set(), (1, 1)),
    ],
)
def test_mentioned_and_absent_objects_by_hand(caption: str, present: set[str], counts: tuple[int, int]) -> None:
    assert ObjectNames(NAMES, SYNONYMS).count(words_of(caption), present) == counts


def coco(**more: Any) -> dict[str, Any]:
    """Three images: a dog twice and a cup, nothing, and a dog."""
    outline = {"segmentation": [[1.5, 2.5] * 9], "bbox": [1, 2, 3, 4], "iscrowd": 0}
    marked = [(1, 18), (1, 18), (1, 47), (3, 18)]
    return {
        "info": {"year": 2017},
        "images": [{"id": number, "file_name": f"{number}.jpg", "license": 1} for number in (1, 2, 3)],
        "annotations": [
            {"id": at, "image_id": image, "category_id": one, **outline} for at, (image, one) in enumerate(marked)
        ],
        "categories": [{"id": one, "name": name, "supercategory": "x"} for one, name in ((18, "dog"), (47, "cup"))],
    } | more


def test_labels_of_all_forms(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(coco()))
    rows = [("1", "dog"), ("1", "dog"), ("1", "cup"), ("2", ""), ("3", "dog")]
    (tmp_path / "a.csv").write_text("label,key\n" + "".join(f"{label},{key}\n" for key, label in rows))
    keys, labels = zip(*rows, strict=True)
    pq.write_table(pa.table({"key": keys, "label": labels}), tmp_path / "rows.parquet")
    lists = pa.table({"key": ["1", "2", "3"], "label": [[" Dog", "cup"], [], ["dog", None]]})
    pq.write_table(lists, tmp_path / "lists.parquet")
    for name in ("a.json", "a.csv", "rows.parquet", "lists.parquet"):
        found = read_objects(tmp_path / name)
        assert found.objects == {"1": {"dog", "cup"}, "2": set(), "3": {"dog"}}, name
        assert found.names == {"dog", "cup"}, name


test_unusable_labels = refused(
    read_objects,
    PipelineError,
    [
        ("key,name\n1,dog\n", "no columns named label"),
        ("key,label\n,dog\n", "row 1 has no key"),
        ("key,label\n1,\n", "no object"),
        (json.dumps(coco(categories=[])), "category_id 18 is not in the list categories"),
        (json.dumps(coco(annotations=[{"image_id": 1}])), "an entry of annotations has no category_id"),
        (json.dumps({"images": []}), "no object"),
        (json.dumps(coco())[:-9], "parse error|premature"),
        ("", "[Ee]mpty"),
    ],
)


def test_synonyms_as_the_authors_write_them(tmp_path: Path) -> None:
    path = tmp_path / "synonyms.txt"
    path.write_text("Person, girl, boy\n\nhot  dog\ncup, mug\nperson, man\n")
    assert read_synonyms(path) == {"person": ["girl", "boy", "man"], "hot dog": [], "cup": ["mug"]}
    for content in (b"person\n", b"", b"\xff\xfe\x00"):
        path.write_bytes(content)
        with pytest.raises(PipelineError, match="unreadable synonyms of objects"):
            read_synonyms(path)
    with pytest.raises(PipelineError, match="unreadable synonyms of objects"):
        read_synonyms(tmp_path / "none.txt")
