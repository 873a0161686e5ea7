"""Tables of images and captions: every row becomes a sample, in each kind of file."""

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.acquisition.own_images import pictures, read, shown
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.names import derived_id

ROWS: list[dict[str, Any]] = [
    {"image": "a.jpg", "caption": 'a cat, "sitting"\non a mat', "group": "Cats"},
    {"image": "sub/b.jpg", "caption": "ein Hund läuft 🐕", "group": ""},
    {"image": "gone.jpg", "caption": "nothing there", "group": "cats"},
    {"image": "../x.jpg", "caption": "outside", "group": "cats"},
    {"image": "/etc/passwd", "caption": "outside", "group": "cats"},
    {"image": "https://a.test/1.jpg", "caption": "NA", "group": "cats"},
    {"image": "a.jpg", "caption": "", "group": "a/b"},
]


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    """``rows`` as the kind of table that the suffix says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        with open(path, "w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, list(rows[0]), delimiter="\t" if path.suffix == ".tsv" else ",")
            writer.writeheader()
            writer.writerows(rows)
    return path


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl", "parquet"])
def test_every_kind_of_table_gives_the_expected_rows(tmp_path: Path, suffix: str) -> None:
    folder = pictures(tmp_path / "own", ["a.jpg", "sub/b.jpg", "sub/left.png"])
    write(folder / f"captions.{suffix}", ROWS)
    samples = read(folder)
    assert shown(samples) == [
        ("a.jpg", 'a cat, "sitting"\non a mat', None),
        ("sub/b.jpg", "ein Hund läuft 🐕", None),
        (None, "nothing there", "no_image"),
        (None, "outside", "bad_path"),
        (None, "outside", "bad_path"),
        (None, "NA", None),
        (None, "", "malformed_row"),
        ("sub/left.png", None, "no_row"),
    ]
    assert [one.group for one in samples[:3]] == ["cats", "all", "cats"]
    assert samples[0].raw["image_id"] == derived_id("a.jpg") and samples[5].raw["url"] == "https://a.test/1.jpg"


def test_columns_are_detected_or_taken_from_settings(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "own", ["im/a.jpg"])
    row = {"photo": "a.jpg", "text": "a cat", "alt": "a dog", "key": 7, "subreddit": "pets", "created_utc": 1577836800}
    for suffix in ("csv", "jsonl", "parquet"):
        path = write(folder / f"t.{suffix}", [row])
        (sample,) = read(folder, "im", image="photo")
        assert sample.raw["image_id"] == "7" and sample.raw["caption"] == "a cat" and sample.group == "pets"
        assert sample.raw["created_utc"] == 1577836800 and sample.image is not None
        (sample,) = read(folder, "im", image="photo", caption="alt", id="", group="")
        assert (sample.raw["image_id"], sample.group) == (derived_id("im/a.jpg"), "all")
        assert sample.raw["caption"] == "a dog"
        path.unlink()


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_the_first_caption_of_a_list_is_used(tmp_path: Path, suffix: str) -> None:
    folder = pictures(tmp_path / "own", ["a.jpg", "b.jpg", "c.jpg"])
    captions: list[Any] = [["a cat", "a pet"], [], ["", "a dog"]]
    rows = [{"file": f"{name}.jpg", "captions": texts} for name, texts in zip("abc", captions, strict=True)]
    write(folder / f"captions.{suffix}", rows)
    found = [(sample.image is not None, sample.raw["caption"]) for sample in read(folder, caption="captions")]
    assert found == [(True, "a cat"), (True, None), (True, "a dog")]


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize(
    ("row", "columns", "message"),
    [
        (
            {"image": "a", "words": "b"},
            {},
            r"no column caption in .*: the columns are image, words; name the column in "
            r"annotations\.columns\.caption",
        ),
        (
            {"pic": "a", "caption": "b"},
            {},
            r"no column image or url in .*; name the column in annotations\.columns\.image",
        ),
        (
            {"image;caption": "a;b"},
            {},
            r"no column caption in .*; separate the columns with commas or tabs, not with ;",
        ),
        (
            {"image|caption": "a|b"},
            {"image": "image"},
            r"no column image in .*; separate the columns with .*, not with \|",
        ),
        ({"image": "a", "caption": "b"}, {"id": "no"}, r"no column no in .*; correct annotations\.columns\.id"),
    ],
)
def test_wrong_columns_are_named(
    tmp_path: Path, suffix: str, row: dict[str, str], columns: dict[str, str], message: str
) -> None:
    folder = tmp_path / "own"
    write(folder / f"t.{suffix}", [row])
    with pytest.raises(PipelineError, match=message):
        read(folder, **columns)


def test_a_file_takes_precedence_over_a_url_and_a_url_over_a_missing_file(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "own", ["a.jpg"])
    url = "http://a.test/1.jpg"
    rows = [{"image": name, "url": url, "caption": "x"} for name in ("a.jpg", "gone.jpg", "../a.jpg", "")]
    write(folder / "t.csv", rows)
    samples = read(folder)
    assert [(one.image is not None, one.unfit) for one in samples] == [
        (True, None),
        (False, None),
        (False, "bad_path"),
        (False, None),
    ]
    assert [one.raw["url"] for one in samples] == [url, url, "../a.jpg", url]


def test_a_damaged_row_does_not_affect_other_rows(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "own", ["a.jpg", "b.jpg"])
    (folder / "t.csv").write_bytes(b"image,caption\na.jpg,one\nb.jpg\na.jpg,\xff\xfe\nb.jpg,two\nb.jpg,x,y,z\n")
    assert shown(read(folder)) == [
        ("a.jpg", "one", None),
        ("b.jpg", None, "malformed_row"),
        ("a.jpg", None, "not_utf8"),
        ("b.jpg", "two", None),
        ("b.jpg", None, "malformed_row"),
    ]
    (folder / "t.csv").unlink()
    long = json.dumps({"image": "a.jpg", "caption": "x" * (3 << 20)})
    lines = [
        '{"image": "a.jpg", "caption": "one"}',
        "{",
        "[1]",
        "",
        long,
        "[" * 100_000,
        '{"image": 5, "caption": "q"}',
    ]
    (folder / "t.jsonl").write_text("\n".join(lines))
    assert [wrong for _, _, wrong in shown(read(folder))] == [
        None,
        "NoneType",
        "NoneType",
        "oversized_row",
        "NoneType",
        "malformed_row",
        "no_row",
    ]


def test_a_damaged_table_is_named(tmp_path: Path) -> None:
    (tmp_path / "t.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(PipelineError, match=r"unreadable table in .*t\.parquet: "):
        read(tmp_path / "t.parquet")
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(PipelineError, match=r"no column caption in .*empty\.csv: the columns are none"):
        read(tmp_path / "empty.csv")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ('a.jpg,"a cat', "line 3: unexpected end of data"),
        ('a.jpg,"a cat\nb.jpg,"a dog"', "line 3: ',' expected after '\"'"),
        ('a.jpg,"a "big" cat"', "line 3: ',' expected after '\"'"),
        (f'a.jpg,"{"x" * (1 << 20)}"', "line 3: more than 1048576 characters"),
    ],
)
def test_an_unmatched_quotation_mark_is_an_error(tmp_path: Path, row: str, message: str) -> None:
    folder = pictures(tmp_path / "own", ["a.jpg", "b.jpg"])
    (folder / "t.csv").write_text("image,caption\nb.jpg,one\n" + row + "\nb.jpg,two\n" * 50)
    with pytest.raises(PipelineError, match=f"unreadable table in .*t.csv: row in {message}; check its quotation"):
        read(folder)


def test_unusual_csv_is_read(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "own", ["a.jpg"])
    lines = ["\ufeffimage,caption", 'a.jpg,5" wide', "", 'a.jpg,"two\r\nlines, ""quoted"""', "a.jpg,last"]
    for end in ("\n", "\r\n", "\r"):
        (folder / "t.csv").write_text(end.join(lines), newline="")
        assert [caption for _, caption, _ in shown(read(folder))] == ['5" wide', 'two\r\nlines, "quoted"', "last"]


def test_repeated_columns_are_refused_where_they_are_used(tmp_path: Path) -> None:
    path = tmp_path / "own/t.csv"
    pictures(path.parent, ["a.jpg"])
    path.write_text("image,caption,caption,note,note\na.jpg,one,two,3,4\n")
    with pytest.raises(PipelineError, match=r"several columns caption in .*t\.csv: the columns are image, .*; rename"):
        read(path.parent)
    path.write_text("image,caption,note,note\na.jpg,one,3,4\n")
    assert shown(read(path.parent)) == [("a.jpg", "one", None)]


def test_json_lines_may_differ_in_their_fields(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "own", ["a.jpg", "b.jpg"])
    lines = [{"image": "a.jpg", "caption": "one"}] * 150 + [{"file_name": "b.jpg", "text": "two", "id": 7}]
    (folder / "t.jsonl").write_text("\n".join(map(json.dumps, lines)))
    last = read(folder)[-1]
    assert shown([last]) == [("b.jpg", "two", None)] and last.raw["image_id"] == "7"


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.fixed_dictionaries({"url": TEXT, "caption": TEXT, "id": TEXT}), min_size=1, max_size=8))
def test_parquet_jsonl_and_csv_give_the_same_rows(rows: list[dict[str, str]], tmp_path: Path) -> None:
    made = []
    for suffix in ("parquet", "jsonl", "csv"):
        folder = tmp_path / suffix
        write(folder / f"t.{suffix}", rows)
        made.append([one.raw for one in read(folder)])
    assert made[0] == made[1] == made[2] and len(made[0]) == len(rows)
    assert [one["caption"] for one in made[0]] == [row["caption"] for row in rows]
