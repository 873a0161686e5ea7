from pathlib import Path

import pytest

from tests.file_bytes import write_tar
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.evaluation.datasets import picture_sets


def test_tar_members_come_in_order_and_only_selected_members_are_read(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "x.tar.gz", {"b/1": b"one", "a/2": b"two"}, "w:gz")
    assert list(picture_sets.members(path)) == [("b/1", b"one"), ("a/2", b"two")]
    assert list(picture_sets.members(path, "a/2".__eq__)) == [("b/1", b""), ("a/2", b"two")]


def test_damaged_archives_are_named(tmp_path: Path) -> None:
    whole = write_tar(tmp_path / "x.tar.gz", {f"a/{i}": bytes(range(256)) * 40 for i in range(9)}, "w:gz").read_bytes()
    plain = write_tar(tmp_path / "x.tar", {"a/1": b"x" * 5000}).read_bytes()
    for name, data in {
        "cut.tar.gz": whole[: len(whole) // 2],
        "cut.tar": plain[:2000],
        "cut_between_members.tar": plain[: 512 + 5120],
        "no.tar": b"not a tar at all" * 50,
        "flip.tar.gz": b"\x1f\x8b" + bytes(200),
    }.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(PipelineError, match=r"broken archive in .*" + name):
            list(picture_sets.members(tmp_path / name))
    with pytest.raises(PipelineError, match="gone"):
        list(picture_sets.members(tmp_path / "gone.tar"))


def test_huge_members_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture_sets, "LARGEST", 10)
    with pytest.raises(PipelineError, match="'a/1' of 11 bytes"):
        list(picture_sets.members(write_tar(tmp_path / "x.tar", {"a/1": b"x" * 11})))


@pytest.mark.parametrize("name", ["../a.png", "a/../../b.png", "/a/b.png", "", "a\\b.png", "a/b\n.png", ".", "\ud800"])
def test_unsafe_paths_are_rejected(name: str) -> None:
    assert picture_sets.safe_parts(name) is None


@pytest.mark.parametrize("name", ["a/" + "é" * 126 + "/b.png", "a/" * 1001 + "b.png"])
def test_paths_too_long_for_the_file_system_are_rejected(name: str, tmp_path: Path) -> None:
    assert picture_sets.safe_parts(name) is None
    assert not (tmp_path.joinpath(*picture_sets.safe_parts("é" * 125) or ())).with_suffix(".jpg").is_file()


def test_safe_paths_and_image_names_are_recognised() -> None:
    assert picture_sets.safe_parts("./a/b c.jpg") == ("a", "b c.jpg")
    assert picture_sets.is_image_name("a/B.JPG") and not picture_sets.is_image_name("a/b.txt")
