"""Permissions, disk space and file locks are checked before jobs start."""

import errno
import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.study.preflight.jobs import Found, job


def test_folders_without_write_permission_are_reported(
    look: Callable[..., Found], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    work = [job("data_card", "data_card")]
    (tmp_path / "results/study/data_card").mkdir(parents=True)
    (tmp_path / "results/.work").mkdir()
    allowed = os.access
    for closed in ("results", "results/study", "results/study/data_card", "results/.work"):
        monkeypatch.setattr(os, "access", lambda path, mode, closed=closed: str(path) != closed and allowed(path, mode))
        (text,) = (text for text, certain in look(work).items() if certain)
        assert text.startswith(f"no write permission in {closed}: user {os.geteuid()} may not write")
    shutil.rmtree(tmp_path / "results")
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path and allowed(path, mode))
    (text,) = look(work)
    assert text.startswith(f"no write permission in {tmp_path}: ")


def test_missing_space_and_locks_are_warnings(look: Callable[..., Found], monkeypatch: pytest.MonkeyPatch) -> None:
    work = [job("download", "00000", shard="00000")]
    assert look(work) == {}

    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    usage = SimpleNamespace(free=10)
    monkeypatch.setattr("workflow_scripts.study.estimates.disk.shutil.disk_usage", lambda path: usage)
    monkeypatch.setattr(fcntl, "flock", no_locks)
    found = look(work)
    assert [text.partition(" in ")[0] for text in found] == ["no file locks", "too little disk space"]
    assert not any(found.values())


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder to another group")
def test_a_shared_folder_without_setgid_is_a_warning(look: Callable[..., Found], tmp_path: Path) -> None:
    work, results = [job("download", "00000", shard="00000")], tmp_path / "results"
    results.mkdir(exist_ok=True)
    os.chown(results, -1, 64_100)
    for mode, warned in ((0o775, True), (0o2775, False), (0o755, False)):
        results.chmod(mode)
        found = {text: certain for text, certain in look(work).items() if "setgid" in text}
        assert list(found.values()) == [False] * warned
        assert all("group 64100 may write, but new files get the group" in text for text in found)
