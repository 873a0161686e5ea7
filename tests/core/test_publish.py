import hashlib
import json
import multiprocessing
import os
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from workflow_scripts.core.publish import Staging, publish

FORK = multiprocessing.get_context("fork")
RACES = 1000
SUFFIXES = (".txt", "/deep/one.bin", "/deep/two.bin")


def entry_of(results: Path, key: str) -> Path:
    """A cache entry whose files hold its key."""
    staging, entry = Staging(results / "study/draw/one"), results / ".cache/draw" / key
    staging.open(results, "draw", key)
    for suffix in SUFFIXES:
        staging.file(suffix).write_text(f"{key} {suffix}")
    staging.seal(entry, {}, {}, {"stage": "draw", "key": key})
    return entry


def is_of_one_key(artifact: Path) -> bool:
    """Whether manifest, record and all files of an artifact belong together."""
    manifest = json.loads(Path(f"{artifact}.manifest.json").read_bytes())
    record = json.loads(Path(f"{artifact}.run.json").read_bytes())
    texts = {Path(f"{artifact}{suffix}").read_text() for suffix in SUFFIXES}
    hashes = {suffix: hashlib.sha256(f"{record['key']} {suffix}".encode()).hexdigest() for suffix in SUFFIXES}
    named = {suffix: file["sha256"] for suffix, file in manifest["files"].items()}
    return texts == {f"{record['key']} {suffix}" for suffix in SUFFIXES} and named == hashes


def test_two_keys_at_one_path_never_mix(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    artifact, together = results / "study/draw/one", FORK.Barrier(3)
    entries = [entry_of(results, key) for key in ("a" * 64, "b" * 64)]
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)  # for speed

    def publish_often(entry: Path, together: Barrier) -> None:
        manifest = json.loads((entry / "manifest.json").read_bytes())
        for _ in range(RACES):
            together.wait(60)
            assert publish(entry, artifact, manifest, {"key": entry.name})
            together.wait(60)

    racing = [FORK.Process(target=publish_often, args=(entry, together)) for entry in entries]
    for process in racing:
        process.start()
    mixed = 0
    for _ in range(RACES):
        together.wait(60)
        together.wait(60)  # both are done, and start again only with this process
        mixed += not is_of_one_key(artifact)
    for process in racing:
        process.join(60)
    assert (mixed, [process.exitcode for process in racing]) == (0, [0, 0])
