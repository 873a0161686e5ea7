"""All rows of a zip: kept in canonical order or apart with a reason, whatever the order of the files."""

import json
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.acquisition.zips import row, write_zip
from workflow_scripts.acquisition.annotations.own import gather
from workflow_scripts.acquisition.annotations.redcaps import members, read_member, redcaps_samples
from workflow_scripts.acquisition.annotations.removal_tokens import token
from workflow_scripts.acquisition.annotations.rows import Filter
from workflow_scripts.acquisition.shards.plan import plan
from workflow_scripts.core.errors import PipelineError

FILES = {
    "pics_2020": [
        row("b2"),
        row("a1"),
        row("b2", caption="again"),
        row("c3", caption=" \n"),
        "no row",
        row("d4", url=None),
    ],
    "pics_2019": [row("z9"), row("c3"), row("y8", created_utc=1577836800)],
    "aww_2020": [row("m5"), row("a1", caption="elsewhere"), row("e5", caption=None), row("f6", url="x")],
}


def gathered(tmp_path: Path, path: Path, wanted: Filter = Filter(None, None)) -> tuple[dict[str, Any], Any, Any]:  # noqa: B008
    kept, apart = tmp_path / "kept.parquet", tmp_path / "apart.parquet"
    counts = gather(path, redcaps_samples(path, wanted), wanted, 1000, kept, apart, tmp_path)
    return counts, pq.read_table(kept), pq.read_table(apart)


def test_rows_are_kept_in_canonical_order_or_set_aside(tmp_path: Path) -> None:
    counts, kept, apart = gathered(tmp_path, write_zip(tmp_path / "a.zip", FILES))
    rows = list(zip(kept["subreddit"].to_pylist(), kept["year"].to_pylist(), kept["image_id"].to_pylist(), strict=True))
    # aww comes first, so its a1 stays; c3 of 2019 is read before that of 2020, whose caption is empty anyway
    assert rows == [
        ("aww", 2020, "a1"),
        ("aww", 2020, "m5"),
        ("pics", 2019, "c3"),
        ("pics", 2019, "z9"),
        ("pics", 2020, "b2"),
        ("pics", 2020, "y8"),
    ]
    assert kept["caption"].to_pylist()[0] == "elsewhere"
    expected = {"repeated_id": 2, "empty_caption": 2, "malformed_row": 1, "no_url": 1, "bad_url": 1}
    assert counts["apart"] == Counter(apart["reason"].to_pylist()) == expected
    assert (counts["rows"], counts["kept"]) == (13, 6)
    assert counts["years"] == {"2019": 2, "2020": 4}
    assert counts["subreddits"] == {"aww": 2, "pics": 4}


def test_long_captions_are_cut_and_counted(tmp_path: Path) -> None:
    long = "a cat " * 200
    rows = [row("a1", caption=long), row("b2", raw_caption="x" * 5000), row("c3"), row("a1", caption=long)]
    counts, kept, _ = gathered(tmp_path, write_zip(tmp_path / "a.zip", {"pics_2020": rows}))
    assert counts["truncated"] == 2, "of the kept rows"
    assert kept["caption"].to_pylist()[0] == long[:997] and kept["raw_caption"].to_pylist()[1] == "x" * 1000
    assert "truncated" not in gathered(tmp_path, write_zip(tmp_path / "a.zip", FILES))[0], "the bytes stay as they were"


def test_same_bytes_for_any_order_of_files(tmp_path: Path) -> None:
    made = []
    for names in (["pics_2020", "pics_2019", "aww_2020"], ["aww_2020", "pics_2019", "pics_2020"]):
        counts, _, _ = gathered(tmp_path, write_zip(tmp_path / "a.zip", FILES, names))
        made.append((counts, (tmp_path / "kept.parquet").read_bytes(), (tmp_path / "apart.parquet").read_bytes()))
    assert made[0] == made[1]


def test_filters_select_the_matching_rows(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", FILES)
    counts, kept, _ = gathered(tmp_path, path, Filter([2019], None))
    assert sorted(kept["image_id"].to_pylist()) == ["c3", "z9"] and counts["apart"]["filtered_year"] == 8
    counts, kept, apart = gathered(tmp_path, path, Filter(None, ["AWW"]))
    assert kept["image_id"].to_pylist() == ["a1", "m5"] and len(kept) + len(apart) == 13
    with pytest.raises(PipelineError, match=r"unknown subreddit.*cats"):
        gathered(tmp_path, path, Filter(None, ["aww", "cats"]))
    with pytest.raises(PipelineError, match=r"no rows left.*0 of 13"):
        gathered(tmp_path, path, Filter([1999], None))


@pytest.mark.shared
def test_all_real_rows(shared_data: Path, tmp_path: Path) -> None:
    path = shared_data / "redcaps_annotations" / "redcaps_explore_dev_annotations.zip"
    counts, kept, apart = gathered(tmp_path, path)
    empty = repeated = total = 0
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            rows = json.loads(archive.read(name))["annotations"] if name.endswith(".json") else []
            first = {one["image_id"]: one for one in reversed(rows) if (one["caption"] or "").strip()}
            empty += sum(not (one["caption"] or "").strip() for one in rows)
            total, repeated = total + len(rows), repeated + len(rows) - len(first)
    assert total == counts["rows"] == 230_415
    assert counts["apart"] == {"empty_caption": empty, "repeated_id": repeated - empty}
    assert counts["kept"] == len(kept)
    assert len(kept) + len(apart) == total and len(set(kept["image_id"].to_pylist())) == len(kept)
    made = plan(tmp_path / "kept.parquet", 500, 10_000, "subreddit_year", tmp_path / "plan.parquet")
    assert sum(made["rows"]) == len(kept) and sum(size > 0 for size in made["rows"]) == len(
        set(kept["subreddit"].to_pylist())
    )


def test_only_hashes_remain_of_removed_rows(tmp_path: Path) -> None:
    files = {
        "pics_2020": [
            row("a1"),
            row("b2"),
            row("c3", caption=" "),
            row("d4", caption=7),
            row("b2", url="https://i.redd.it/other.jpg", created_utc=1262304000),
            row("e5"),
        ]
    }
    removal = [token(one) for one in ("b2", "http://I.redd.it.:80/x/../c3%2ejpg?#top", "d4", "never_seen")]
    counts, kept, apart = gathered(tmp_path, write_zip(tmp_path / "a.zip", files), Filter(None, None, removal))
    assert kept["image_id"].to_pylist() == ["a1", "e5"] and counts["apart"] == {"excluded": 4}
    assert (counts["rows"], counts["kept"]) == (6, 2)
    one = apart.to_pylist()[0]
    assert one["image_id"] == token("b2") and one["url"] == token("https://i.redd.it/b2.jpg")
    assert {name: value for name, value in one.items() if value is not None}.keys() == {
        "image_id",
        "url",
        "subreddit",
        "year",
        "reason",
    }
    held = (tmp_path / "apart.parquet").read_bytes() + (tmp_path / "kept.parquet").read_bytes()
    assert not any(text in held for text in (b"b2.jpg", b"picture of b2", b"c3.jpg", b"d4.jpg", b"other.jpg"))
    for table in (kept, apart):
        cells = {value for name in ("caption", "raw_caption", "permalink") for value in table[name].to_pylist()}
        assert not any("b2" in cell or "d4" in cell for cell in cells if cell)


def test_names_of_people_are_masked_in_all_texts(tmp_path: Path) -> None:
    one = row("a1", caption="by u/joe_b", raw_caption="By @Joe.B", permalink="/r/pics/comments/a1/by_u_joe_b/")
    bad = row("b2", caption="by u/joe_b", url=None)
    _, kept, apart = gathered(tmp_path, write_zip(tmp_path / "a.zip", {"pics_2020": [one, bad]}))
    texts = [kept[name].to_pylist()[0] for name in ("caption", "raw_caption", "permalink")]
    assert texts == ["by <usr>", "By <usr>", "/r/pics/comments/a1/"]
    assert apart["caption"].to_pylist() == ["by <usr>"]


def test_members_are_sorted_and_others_ignored(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", {"pics_2020": [], "Aww_2019": [], "pics_2017": [], "one_two_2020": []})
    found = [(one.subreddit, one.year) for one in members(path)]
    assert found == [("aww", 2019), ("one_two", 2020), ("pics", 2017), ("pics", 2020)]


@pytest.mark.parametrize(("content", "message"), [(b"this is no zip", "not a zip in"), (b"", "not a zip in")])
def test_content_that_is_not_a_zip_is_rejected(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(content)
    with pytest.raises(PipelineError, match=message):
        members(path)


def test_zips_of_another_layout_are_rejected(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="no annotation files"):
        members(write_zip(tmp_path / "a.zip", {}))
    with pytest.raises(PipelineError, match=r"unexpected file name.*annotations/pics\.json"):
        members(write_zip(tmp_path / "b.zip", {"pics": []}))
    with pytest.warns(UserWarning), zipfile.ZipFile(tmp_path / "c.zip", "w") as archive:
        archive.writestr("annotations/pics_2020.json", "{}")
        archive.writestr("annotations/pics_2020.json", "{}")
    with pytest.raises(PipelineError, match="repeated file in zip"):
        members(tmp_path / "c.zip")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{not json", "unreadable annotation file"),
        (b"\xff\xfe\xfa", "unreadable annotation file"),
        (b"[" * 200_000, "unreadable annotation file"),
        (rb'{"annotations": [{"caption": "half a pair: \udc00"}]}', "unreadable annotation file"),
        (b"[1, 2]", "no list of annotations"),
        (b'{"annotations": {"a": 1}}', "no list of annotations"),
        (b" " * 5000, "file too large"),
    ],
)
def test_malformed_annotation_files_are_rejected(tmp_path: Path, content: bytes, message: str) -> None:
    path = write_zip(tmp_path / "a.zip", {"pics_2020": content})
    limit = 1000 if message.startswith("file too large") else 1 << 20
    with pytest.raises(PipelineError, match=f"{message} in .*annotations/pics_2020.json"):
        list(read_member(zipfile.ZipFile(path), members(path)[0], limit))


def test_lzma_is_refused_unread(tmp_path: Path) -> None:
    """Its header may request gigabytes of memory."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("annotations/pics_2020.json", '{"annotations": []}')
    with pytest.raises(PipelineError, match=r"unsupported compression in .*pics_2020\.json: method 14; repack it"):
        list(read_member(zipfile.ZipFile(tmp_path / "a.zip"), members(tmp_path / "a.zip")[0], 1 << 20))


def test_a_damaged_zip_member_is_an_error(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", {"pics_2020": [row(f"a{n}") for n in range(50)]})
    data = bytearray(path.read_bytes())
    place = data.index(b"pics_2020.json") + 60
    data[place : place + 20] = bytes(20)
    path.write_bytes(data)
    with pytest.raises(PipelineError, match=r"unreadable annotation file in .*pics_2020\.json"):
        list(read_member(zipfile.ZipFile(path), members(path)[0], 1 << 20))
