"""Files and names that others may have put into a shared folder."""

import os
import stat
from pathlib import Path

import pytest

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.bounded_json import Unfit
from workflow_scripts.core.files.plain import LONGEST, check_inside, check_suffix, open_plain


@pytest.mark.parametrize(
    "suffix",
    [".parquet", ".images.zip", "/curve.parquet", "/deep/er/hash.txt", "..a", ".ä b", "." + "x" * (LONGEST - 1)],
)
def test_safe_suffixes_are_accepted(suffix: str) -> None:
    assert check_suffix(suffix) == suffix


@pytest.mark.parametrize(
    "suffix", ["/../x", ".a/../../x", "/a/..", "", ".", "//x", "/x/", ".a/x", "/a\0", ".\x1b[2J", "." + "x" * LONGEST]
)
def test_unsafe_suffixes_are_rejected(suffix: str) -> None:
    with pytest.raises(Unfit, match="unsafe file suffix") as caught:
        check_suffix(suffix)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, os.O_RDWR | os.O_CREAT])
def test_only_regular_files_are_opened(tmp_path: Path, flags: int) -> None:
    (tmp_path / "file").write_text("kept")
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "dangling").symlink_to("new")
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "folder").mkdir()
    kinds = {"link": "symbolic link", "dangling": "symbolic link", "fifo": "a FIFO", "folder": "a folder"}
    for name, kind in kinds.items():
        with pytest.raises(PipelineError, match=f"not a regular file in .*/{name}: it is .*{kind}"):
            os.close(open_plain(tmp_path / name, flags))
    assert (tmp_path / "file").read_text() == "kept" and not (tmp_path / "new").exists()
    with os.fdopen(open_plain(tmp_path / "file", os.O_RDWR)) as stream:
        assert stream.read() == "kept"
    with pytest.raises(FileNotFoundError):
        open_plain(tmp_path / "none", os.O_RDONLY)


def test_symbolic_links_inside_a_folder_are_rejected(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/file").touch()
    os.link(tmp_path / "a/b/file", tmp_path / "a/again")
    check_inside(tmp_path / "a")
    (tmp_path / "a/b/link").symlink_to("file")
    with pytest.raises(Unfit, match=r"^b/link is a symbolic link$"):
        check_inside(tmp_path / "a")
    (tmp_path / "way").symlink_to("a")
    with pytest.raises(Unfit, match=r"^it is a symbolic link$"):
        check_inside(tmp_path / "way")
    with pytest.raises(FileNotFoundError):
        check_inside(tmp_path / "none")
    assert stat.S_ISLNK((tmp_path / "way").lstat().st_mode)
