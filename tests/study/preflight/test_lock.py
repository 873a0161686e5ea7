"""Warnings about what a lock would fix, and about entries that it no longer needs."""

from collections.abc import Callable
from pathlib import Path

from tests.study.lock.hub import NEW, OLD
from tests.study.preflight.jobs import Found, job, source
from workflow_scripts.study.config.lock import Lock

CHANGE = {"recaption": {"captioner": "hub:a/caption@main", "matcher": f"hub:a/match@{OLD}"}}
SHA = "5a" * 32
FILE = Path("mine.lock.yaml")


def test_a_model_without_a_commit_is_a_warning(look: Callable[..., Found]) -> None:
    expected = (
        "missing lock in mine.lock.yaml: hub:a/caption@main (captioner) can change; to record their commits, run "
        "faithful-pairs lock with the same config files"
    )
    assert look([source("captioner"), source("matcher")], CHANGE, lock_file=FILE) == {expected: False}
    reader = job("recaption", "00000", ("captioner", "matcher"), shard="00000")
    assert look([reader], CHANGE, lock_file=FILE) == {expected: False}
    assert look([source("matcher")], CHANGE, lock_file=FILE) == {}, "no job reads the captioner"
    loose = {"recaption": {"captioner": "hub:a/caption", "matcher": "hub:a/match@v1"}}
    (text,) = look([source("captioner"), source("matcher")], loose, lock_file=FILE)
    assert ": hub:a/caption (captioner), hub:a/match@v1 (matcher) can change; " in text


def test_entries_that_stand_for_no_source_are_a_warning(look: Callable[..., Found], tmp_path: Path) -> None:
    def unused(**entries: dict[str, str]) -> list[str]:
        (tmp_path / FILE).write_text(Lock(**{"hub": {}, "urls": {}, **entries}).text())
        found = look([source("matcher")], CHANGE, lock_file=FILE)
        assert not any(found.values())
        return list(found)

    assert unused(hub={"a/match@main": OLD}) == []
    assert unused(hub={"a/match@main": OLD, "a/match@v2": NEW}, urls={"https://h.test/a": SHA}) == [
        "unused entries in mine.lock.yaml: a/match@v2, https://h.test/a; to remove them, run faithful-pairs lock with "
        "the same config files"
    ]
    (text,) = unused(urls={f"https://h.test/{number}": SHA for number in range(7)})
    assert "https://h.test/4 and 2 more; " in text
