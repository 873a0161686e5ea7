"""Warnings about what a lock would fix."""

from collections.abc import Callable
from pathlib import Path

from tests.study.lock.hub import OLD
from tests.study.preflight.jobs import Found, job, source

CHANGE = {"recaption": {"captioner": "hub:a/caption@main", "matcher": f"hub:a/match@{OLD}"}}
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
