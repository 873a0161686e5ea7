"""What is a RedCaps zip and what is not."""

import zipfile
from pathlib import Path

import pytest

from tests.acquisition.zips import row, write_zip
from workflow_scripts.acquisition.annotations.zip_reader import members, read_member
from workflow_scripts.core.errors import PipelineError


def test_members_are_sorted_and_others_ignored(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", {"pics_2020": [], "Aww_2019": [], "pics_2017": [], "one_two_2020": []})
    found = [(one.subreddit, one.year) for one in members(path)]
    assert found == [("aww", 2019), ("one_two", 2020), ("pics", 2017), ("pics", 2020)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"this is no zip", "not a zip in"),
        (b"", "not a zip in"),
    ],
)
def test_no_zip(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(content)
    with pytest.raises(PipelineError, match=message):
        members(path)


def test_other_layouts(tmp_path: Path) -> None:
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
        (b"{not json", "not JSON"),
        (b"\xff\xfe\xfa", "not JSON"),
        (b"[" * 200_000, "not JSON"),
        (b"[1, 2]", "no list of annotations"),
        (b'{"annotations": {"a": 1}}', "no list of annotations"),
        (b" " * 5000, "file too large"),
    ],
)
def test_malformed_files(tmp_path: Path, content: bytes, message: str) -> None:
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


def test_damaged_member(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", {"pics_2020": [row(f"a{n}") for n in range(50)]})
    data = bytearray(path.read_bytes())
    place = data.index(b"pics_2020.json") + 60
    data[place : place + 20] = bytes(20)
    path.write_bytes(data)
    with pytest.raises(PipelineError, match=r"(damaged file|not JSON) in .*pics_2020\.json"):
        list(read_member(zipfile.ZipFile(path), members(path)[0], 1 << 20))
