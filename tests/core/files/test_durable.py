"""The primitives alone; ``test_replay.py`` shows that their users call them in the right order."""

import errno
import os
from pathlib import Path

import pytest

from workflow_scripts.core.files import durable


def failing(number: int, text: str):  # type: ignore[no-untyped-def]
    """A stand-in for ``os.fsync``, whose own errors have no file name."""

    def fail(_: int) -> None:
        raise OSError(number, text)

    return fail


@pytest.fixture
def synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Paths that were synced, in order; this process has synced nothing before."""
    seen: list[Path] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        seen.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")))
        real(descriptor)

    monkeypatch.setattr(durable.os, "fsync", fsync)
    monkeypatch.setattr(durable, "_synced", set())
    return seen


def test_a_failed_write_keeps_the_old_file_and_names_the_temporary_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.json"
    durable.write_atomic(path, b"old")
    monkeypatch.setattr(durable.os, "fsync", failing(errno.ENOSPC, "No space left on device"))
    with pytest.raises(OSError, match=r"No space left on device: '.*/\.a\.json\.[0-9a-f]+\.part'"):
        durable.write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("sync", [durable.sync_file, durable.sync_folder])
def test_a_failed_sync_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sync) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "a"
    path.write_bytes(b"") if sync is durable.sync_file else path.mkdir()
    monkeypatch.setattr(durable.os, "fsync", failing(errno.EIO, "Input/output error"))
    with pytest.raises(OSError, match=f"Input/output error: '{path}'"):
        sync(path)


def test_file_systems_without_a_sync_of_folders_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(durable.os, "fsync", failing(errno.EINVAL, "Invalid argument"))
    durable.sync_folder(tmp_path)
    with pytest.raises(OSError, match="Invalid argument"):
        durable.write_atomic(tmp_path / "a", b"")


def test_files_are_synced_before_their_name(tmp_path: Path, synced: list[Path]) -> None:
    durable.write_durable(tmp_path / "a", b"1")
    (tmp_path / "part").write_bytes(b"2")
    durable.move_durable(tmp_path / "part", tmp_path / "b")
    assert [path.name.partition(".")[0] for path in synced] == ["", tmp_path.name, "part", tmp_path.name]
    assert (tmp_path / "b").read_bytes() == b"2"


def test_parents_are_synced_once_even_if_created_by_others(tmp_path: Path, synced: list[Path]) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    durable.make_folders(tmp_path / "a/b/c")
    assert synced[-3:] == [tmp_path, tmp_path / "a", tmp_path / "a/b"]
    synced.clear()
    durable.make_folders(tmp_path / "a/b/c")
    assert synced == []
    (tmp_path / "a/b/new").mkdir()  # while the old folder is there, so that it has another inode
    (tmp_path / "a/b/c").rmdir()
    (tmp_path / "a/b/new").rename(tmp_path / "a/b/c")
    durable.make_folders(tmp_path / "a/b/c")
    assert synced == [tmp_path / "a/b"]


def test_a_relative_path_is_synced_up_to_the_working_directory(
    tmp_path: Path, synced: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    durable.make_folders(Path("results/study"))
    assert synced == [tmp_path, tmp_path / "results"]


def test_a_folder_is_replaced_by_a_synced_folder(tmp_path: Path, synced: list[Path]) -> None:
    for name, text in (("old", "1"), ("new", "2")):
        (tmp_path / name / "in").mkdir(parents=True)
        (tmp_path / name / "in/file").write_text(text)
    durable.move_folder_durable(tmp_path / "new", tmp_path / "old")
    assert (tmp_path / "old/in/file").read_text() == "2"
    assert list(tmp_path.iterdir()) == [tmp_path / "old"]
    assert synced == [tmp_path / "new", tmp_path / "new/in/file", tmp_path / "new/in", tmp_path]
