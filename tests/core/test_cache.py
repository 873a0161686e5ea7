"""A cache entry is handed out only when it is whole and the one that was written for its key."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from workflow_scripts.core.cache import discard, key_lock, lookup, place, try_key_lock
from workflow_scripts.core.files.jsonio import pretty
from workflow_scripts.core.files.notes import sealed
from workflow_scripts.core.publish import Staging, publish

KEY = "0123"


def write(results: Path, key: str = KEY, text: str = "abab") -> tuple[Path, dict, bool]:
    """An entry as a stage writes it, its manifest, and whether it is the one that stands."""
    staging = Staging(results / "study/stage/x")
    staging.open(results, "stage", key)
    staging.file(".txt").write_text(text)
    entry = results / ".cache/stage" / key
    return entry, *staging.seal(entry, {}, {}, {"stage": "stage", "key": key, "start": "2026-01-01T00:00:00Z"})


def make(results: Path, key: str = KEY, text: str = "abab") -> tuple[Path, dict]:
    """An entry as a stage writes it, and its manifest."""
    return write(results, key, text)[:2]


def edit(path: Path, change: Callable[[dict], None]) -> None:
    """Edit a JSON file."""
    content = json.loads(path.read_bytes())
    change(content)
    path.write_bytes(pretty(content))


def instead_of(path: Path, make_other: Callable[[Path], None]) -> None:
    """Put something else in the place of a file or folder."""
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    make_other(path)


def flip(entry: Path) -> None:
    """Change a byte and put the old time back."""
    path = entry / "files/_.txt"
    status = path.stat()
    path.chmod(0o644)
    path.write_text("abaB")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def lie_about_bytes(entry: Path) -> None:
    """Manifest and file changed together, so that they agree."""
    other, manifest = make(entry.parents[2], "other", "abAB")
    shutil.rmtree(entry / "files")
    shutil.copytree(other / "files", entry / "files")
    (entry / "manifest.json").write_bytes(pretty(manifest))


def reseal_for(entry: Path, key: str = "other") -> None:
    """A whole entry of another key in this one's place."""
    other, _ = make(entry.parents[2], key, "other text")
    shutil.rmtree(entry)
    other.rename(entry)


@pytest.mark.parametrize(
    ("poison", "reason"),
    [
        (flip, "_.txt differs"),
        (lambda entry: (entry / "files/_.txt").unlink(), "a file is missing"),
        (lambda entry: (entry / "run.json").unlink(), "a file is missing"),
        (lambda entry: (entry / "manifest.json").write_text("{"), "Expecting"),
        (lambda entry: edit(entry / "manifest.json", lambda one: one["unit"].update(a="b")), "its manifest"),
        (lambda entry: edit(entry / "run.json", lambda one: one.update(host="x")), "its run record was edited"),
        (lie_about_bytes, "its manifest"),
        (reseal_for, "it belongs to another key"),
        (lambda entry: reseal_for(entry, "0000"), "it belongs to another key"),
        (lambda entry: instead_of(entry / "manifest.json", os.mkfifo), "manifest.json is a FIFO"),
        (lambda entry: instead_of(entry / "run.json", os.mkdir), "it is a folder"),
        (lambda entry: instead_of(entry / "files", Path.touch), "a file is missing"),
        (lambda entry: (entry / "files/more\x1b").symlink_to("nowhere"), r"files/more\x1b is a symbolic link"),
    ],
)
def test_a_damaged_cache_entry_is_not_used(
    results: Path, caplog: pytest.LogCaptureFixture, poison: Callable[[Path], None], reason: str
) -> None:
    entry, _ = make(results)
    poison(entry)
    assert lookup(entry) is None
    assert reason in caplog.text
    assert entry.exists()


def test_an_intact_cache_entry_is_used_and_touched(results: Path) -> None:
    entry, manifest = make(results)
    os.utime(entry / "manifest.json", (1, 1))
    assert lookup(entry) == manifest
    assert (entry / "manifest.json").stat().st_mtime > 1
    assert lookup(entry.with_name("none")) is None


def test_what_only_describes_a_computation_may_have_another_form(results: Path) -> None:
    """A later version may record it differently; and inputs may be given by paths from the working directory."""
    entry, manifest = make(results)
    inputs = {"inputs": {"plan": ["0"]}, "input_files": {"plan": ["plan.manifest.json"]}}
    record = json.loads((entry / "run.json").read_bytes()) | inputs | {"host": 5, "new": None}
    (entry / "run.json").write_bytes(pretty(sealed(record)))
    assert lookup(entry) == manifest


def test_a_second_writer_reuses_an_intact_entry_and_replaces_a_damaged_entry(results: Path) -> None:
    entry, first, ours = write(results)
    inode = (entry / "files/_.txt").stat().st_ino
    assert ours
    assert write(results) == (entry, first, False)
    assert (entry / "files/_.txt").stat().st_ino == inode
    flip(entry)
    assert write(results) == (entry, first, True)
    assert lookup(entry) == first
    assert not list((results / ".cache/.staging").iterdir())


def test_publishing_a_discarded_entry_returns_false(results: Path) -> None:
    entry, manifest = make(results)
    record = {"start": "now"}
    artifact = results / "study/stage/x"
    assert publish(entry, artifact, manifest, record)
    discard(entry)
    discard(entry)
    assert not publish(entry, artifact, manifest, record)
    assert not place(entry, results / "study/stage/y", manifest)
    assert sorted(path.name for path in artifact.parent.iterdir()) == ["x.manifest.json", "x.run.json", "x.txt"]


def test_data_is_linked_but_no_manifest_is(results: Path) -> None:
    """A hit sets the time of the entry's manifest; on a link it would restart the jobs that read the artifact."""
    entry, manifest = make(results)
    artifact = results / "study/stage/x"
    assert publish(entry, artifact, manifest, {"start": "now"})
    links = {path.name: path.stat().st_nlink for path in artifact.parent.iterdir()}
    assert links == {"x.manifest.json": 1, "x.run.json": 1, "x.txt": 2}


def test_the_try_lock_does_not_wait(results: Path) -> None:
    work = results / ".work/stage/key"
    with key_lock(work), try_key_lock(work) as ours:
        assert not ours
    with try_key_lock(work) as ours, try_key_lock(work) as second:
        assert ours
        assert not second
    assert not list(work.parent.iterdir())
