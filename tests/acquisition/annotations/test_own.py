"""Own images end in the states that RedCaps' rows end in, in canonical order, whatever the order of the source."""

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.acquisition.own_images import coco, pictures, read
from tests.acquisition.pictures import jpeg
from tests.file_bytes import write_tar
from workflow_scripts.acquisition.annotations.local_image import LocalImage
from workflow_scripts.acquisition.annotations.own import gather, sort_rows
from workflow_scripts.acquisition.annotations.removal_tokens import token
from workflow_scripts.acquisition.annotations.rows import ROWS, Filter
from workflow_scripts.core.errors import PipelineError

LINES: list[Any] = [
    {"image": "b.jpg", "caption": "by @joe on a mat", "id": "b2", "group": "Dogs"},
    {"image": "a.jpg", "caption": "a cat " * 10, "id": "a1", "group": "cats", "created_utc": 1577836800},
    {"image": "a.jpg", "caption": "again", "id": "a1", "group": "cats"},
    {"image": "c.jpg", "caption": " ", "id": "c3", "group": "cats"},
    {"image": "d.jpg", "caption": "a bad id", "id": "d/4", "group": "cats"},
    {"image": "e.jpg", "caption": "nothing there", "id": "e5", "group": "cats"},
    {"image": "../f.jpg", "caption": "outside", "id": "f6", "group": "cats"},
    {"url": "ftp://a.test/g.jpg", "caption": "no web url", "id": "g7", "group": "cats"},
    {"caption": "no place", "id": "h8", "group": "cats"},
    {"url": "https://a.test/i.jpg", "caption": "by url", "id": "i9", "group": "cats"},
    {"image": "d.jpg", "caption": 5, "id": "j10", "group": "cats"},
    "no row",
]


def gathered(tmp_path: Path, lines: list[Any], wanted: Filter) -> tuple[dict[str, Any], Any, Any]:
    folder = pictures(tmp_path / "own", ["a.jpg", "b.jpg", "c.jpg", "d.jpg", "left.jpg"])
    (folder / "t.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    kept, apart = tmp_path / "kept.parquet", tmp_path / "apart.parquet"
    counts = gather(folder, read(folder), wanted, 20, kept, apart, tmp_path)
    return counts, pq.read_table(kept), pq.read_table(apart)


def test_every_row_is_kept_or_set_aside_with_a_reason(tmp_path: Path) -> None:
    counts, kept, apart = gathered(tmp_path, LINES, Filter(None, None))
    assert kept["image_id"].to_pylist() == ["i9", "a1", "b2"] and kept.schema == ROWS
    assert kept["subreddit"].to_pylist() == ["cats", "cats", "dogs"] and kept["year"].to_pylist() == [0, 2020, 0]
    assert kept["caption"].to_pylist() == ["by url", "a cat a cat a cat a ", "by <usr> on a mat"]
    local = LocalImage(read(tmp_path / "own")[0].image.sha256, "b.jpg")  # type: ignore[union-attr]
    assert kept["url"].to_pylist()[2] == local.url and kept["url"].to_pylist()[0] == "https://a.test/i.jpg"
    expected = {
        "repeated_id": 1,
        "empty_caption": 1,
        "no_row": 1,
        "bad_id": 1,
        "no_image": 1,
        "bad_path": 1,
        "bad_url": 1,
        "no_url": 1,
        "malformed_row": 2,
    }
    assert counts["apart"] == Counter(apart["reason"].to_pylist()) == expected
    assert counts["rows"] == counts["kept"] + sum(expected.values()) - 1 == 12
    assert counts["truncated"] == 1 and counts["subreddits"] == {"cats": 2, "dogs": 1}


def test_the_order_of_the_source_changes_no_kept_byte(tmp_path: Path) -> None:
    lines = [{"image": f"{'abcd'[n % 4]}.jpg", "caption": f"{n}", "id": f"i{n:03d}"} for n in range(50)]
    _, first, _ = gathered(tmp_path, lines, Filter(None, None))
    bytes_first = (tmp_path / "kept.parquet").read_bytes()
    random.Random(0).shuffle(lines)
    _, second, _ = gathered(tmp_path, lines, Filter(None, None))
    assert first == second and bytes_first == (tmp_path / "kept.parquet").read_bytes()


def test_filters_and_the_removal_list(tmp_path: Path) -> None:
    wanted = Filter(None, ["DOGS"], [token("b2"), token("https://a.test/i.jpg")])
    with pytest.raises(PipelineError, match=r"no rows left in .*own: 0 of 12 rows"):
        gathered(tmp_path, LINES, wanted)
    counts, kept, apart = gathered(tmp_path, LINES, Filter(None, None, wanted.removal))
    assert kept["image_id"].to_pylist() == ["a1"] and counts["apart"]["excluded"] == 2
    gone = [row for row in apart.to_pylist() if row["reason"] == "excluded"]
    assert {row["image_id"] for row in gone} == {token("b2"), token("i9")} and not any(row["caption"] for row in gone)


ME, OTHER = "https://a.test/me.jpg", "https://a.test/other.jpg"


def as_table(folder: Path) -> None:
    pictures(folder, ["me.jpg", "other.jpg"])
    rows = f"me.jpg,{ME},my face\n../me.jpg,{ME},my face\nother.jpg,{OTHER},a dog\n"
    (folder / "t.csv").write_text("image,url,caption\n" + rows)


def as_tar(folder: Path) -> None:
    members: dict[str, bytes | str] = {}
    for name, url, caption in (("me", ME, "my face"), ("other", OTHER, "a dog")):
        members |= {f"{name}.jpg": jpeg(), f"{name}.txt": caption, f"{name}.json": json.dumps({"url": url})}
    write_tar(folder / "0.tar", members | {"alone.json": json.dumps({"url": ME, "caption": "my face"})})


def as_coco(folder: Path) -> None:
    pictures(folder, ["1.jpg", "2.jpg"])
    images = [{"id": 1, "file_name": "1.jpg", "coco_url": ME}, {"id": 2, "file_name": "2.jpg", "coco_url": OTHER}]
    texts = ((1, "my face"), (1, "my face"), (2, "a dog"))
    coco(folder / "c.json", images, [{"id": n, "image_id": of, "caption": text} for n, (of, text) in enumerate(texts)])


@pytest.mark.parametrize("form", [as_table, as_tar, as_coco])
def test_the_removal_list_names_urls_of_images_that_are_files(tmp_path: Path, form: Any) -> None:
    form(tmp_path / "own")
    kept, apart = tmp_path / "kept.parquet", tmp_path / "apart.parquet"
    gather(tmp_path / "own", read(tmp_path / "own"), Filter(None, None, [token(ME)]), 20, kept, apart, tmp_path)
    assert pq.read_table(kept)["caption"].to_pylist() == ["a dog"]
    rows = pq.read_table(apart).to_pylist()
    assert [(row["reason"], row["caption"]) for row in rows] == [("excluded", None)] * 2
    assert all(token(ME) in row["url"].split() for row in rows)


@pytest.mark.parametrize(
    ("line", "wanted", "advice"),
    [
        ({"image": "im/a.jpg", "caption": "x"}, None, "set annotations.images to the folder"),
        ({"image": "a.jpg", "caption": ""}, None, "put captions into a table"),
        ({"image": "a.jpg", "caption": "x", "id": "a/b"}, None, r'annotations\.columns\.id: ""'),
        ({"image": "a.jpg", "caption": "x"}, [2020], r"set annotations\.years to null"),
    ],
)
def test_the_error_for_no_rows_left_gives_advice(
    tmp_path: Path, line: dict[str, str], wanted: list[int] | None, advice: str
) -> None:
    with pytest.raises(PipelineError, match=rf"no rows left in .*; .*{advice}"):
        gathered(tmp_path, [line] * 9, Filter(wanted, None))


def test_rows_are_sorted_part_by_part(tmp_path: Path) -> None:
    rng = random.Random(1)
    keys = [(rng.choice("cab"), rng.randrange(2018, 2021), f"i{n:04d}") for n in range(500)]
    rows = [dict.fromkeys(ROWS.names) | dict(zip(("subreddit", "year", "image_id"), key, strict=True)) for key in keys]
    pq.write_table(pa.Table.from_pylist(rows, schema=ROWS), tmp_path / "in.parquet", row_group_size=64)
    for at_once in (1000, 37):
        sort_rows(tmp_path / "in.parquet", tmp_path / "out.parquet", at_once)
        table = pq.read_table(tmp_path / "out.parquet")
        columns = (table[name].to_pylist() for name in ("subreddit", "year", "image_id"))
        assert list(zip(*columns, strict=True)) == sorted(keys)
