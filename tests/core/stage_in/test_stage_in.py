"""Copies on a node: made once, verified, bounded, given up when the local disk fails."""

import errno
import fcntl
import json
import logging
import os
import pickle
import shutil
import signal
import socket
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.failing_reads import failing_reads
from tests.helpers import hashes, make_artifact
from workflow_scripts.core.files import patience
from workflow_scripts.core.files.names import STAGED_IN
from workflow_scripts.core.files.notes import write_note
from workflow_scripts.core.files.storage_errors import storage_error
from workflow_scripts.core.shards import TarImages
from workflow_scripts.core.stage_in import stage_in, store
from workflow_scripts.core.stage_in.stage_in import Report, note_folder, own_folder, places, staged
from workflow_scripts.removal.removal import remove_copies

EACH = 3  # images in a file
SIZE = 700  # bytes of an image
FILE = EACH * SIZE


def blob(number: int) -> bytes:
    return np.random.default_rng(number).bytes(SIZE)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small blocks, and waits take no time."""
    monkeypatch.setattr(store, "BLOCK", 500)
    monkeypatch.setattr(store, "SECONDS_BETWEEN_TRIES", 0.001)
    monkeypatch.setattr(patience.time, "sleep", lambda _: None)


def shared(results: Path, files: int = 3, first: int = 0) -> TarImages:
    """Three images in each of some shards."""
    blobs = [blob(first * EACH + i) for i in range(files * EACH)]
    tars = []
    for number in range(files):
        data = b"".join(blobs[number * EACH : (number + 1) * EACH])
        manifest = make_artifact(results, "download", f"{first + number:05d}", {".tar": data})
        tars.append(manifest.with_name(f"{first + number:05d}.tar"))
    which = np.repeat(np.arange(files), EACH)
    return TarImages(tars, which, np.tile(np.arange(EACH) * SIZE, files), np.full(files * EACH, SIZE), hashes(blobs))


@contextmanager
def near(
    images: TarImages, folder: Path, most: int = 10**6, stop: Any = lambda: None
) -> Iterator[tuple[TarImages, Report]]:
    with staged(images, str(folder), most, stop) as found:
        yield found


def own(folder: Path) -> Path:
    """The user's folder of copies."""
    found = own_folder(str(folder))
    assert found is not None
    return found


def copies(folder: Path) -> list[Path]:
    return sorted(own(folder).glob("*.tar"))


def read(images: TarImages) -> list[bytes]:
    return [images.bytes(row) for row in range(len(images))]


def test_each_file_is_copied_once_and_then_read_instead(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = shared(results)
    monkeypatch.setenv("SCRATCH_OF_JOB", str(tmp_path))
    with near(images, Path("$SCRATCH_OF_JOB")) as (first, report), near(images, tmp_path) as (_, again):
        assert (report.files, report.bytes, report.copied, again.files, again.copied) == (3, 3 * FILE, 3 * FILE, 3, 0)
        assert [path.stem for path in copies(tmp_path)] == sorted(
            json.loads(tar.with_name(f"{tar.stem}.manifest.json").read_bytes())["files"][".tar"]["sha256"]
            for tar in images.tars
        )
        assert stat.S_IMODE(own(tmp_path).stat().st_mode) == 0o700
        for tar in images.tars:
            tar.unlink()
        sent = pickle.loads(pickle.dumps(first))  # noqa: S301 - its own
        assert read(first) == read(sent) == [blob(i) for i in range(9)]


def test_processes_of_a_node_copy_each_file_once(results: Path, tmp_path: Path) -> None:
    images = shared(results, 6)

    def run(_: int) -> int:
        with near(images, tmp_path) as (mine, report):
            assert read(mine) == [blob(i) for i in range(18)] and report.files == 6
            return report.copied

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(run, range(4))) == 6 * FILE


def test_a_process_that_waits_for_another_says_so_once(
    results: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    own(tmp_path).mkdir()
    own(tmp_path).chmod(0o755)  # others may read what is there
    calls = iter(range(99))
    with open(own(tmp_path) / store.LOCK, "ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with near(shared(results), tmp_path, stop=lambda: held.close() if next(calls) == 2 else None) as (_, report):
            assert report.copied == 3 * FILE
    assert [text.split("; ")[1] for text in caplog.messages if "another process" in text] == ["waiting for it"]


def test_partial_copies_of_a_killed_process_are_not_used(results: Path, tmp_path: Path) -> None:
    images = shared(results)
    child = os.fork()
    if child == 0:
        calls = iter(range(99))
        # The first file has five blocks: this dies within the second one.
        with near(images, tmp_path, stop=lambda: os.kill(os.getpid(), signal.SIGKILL) if next(calls) == 7 else None):
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    (part,) = own(tmp_path).glob("*.part")
    assert len(copies(tmp_path)) == 1 and part.stat().st_size < FILE
    with near(images, tmp_path) as (mine, report):
        assert (report.files, report.copied) == (3, 2 * FILE) and not list(own(tmp_path).glob("*.part"))
        assert read(mine) == [blob(i) for i in range(9)]


def test_a_stopped_job_leaves_no_partial_copy(results: Path, tmp_path: Path) -> None:
    calls = iter(range(99))

    def stop() -> None:
        if next(calls) == 7:
            raise SystemExit(143)

    with pytest.raises(SystemExit), near(shared(results), tmp_path, stop=stop):
        pass
    assert not list(own(tmp_path).glob("*.part")) and len(copies(tmp_path)) == 1


def lose(path: Path) -> None:
    path.unlink()


def cut(path: Path) -> None:
    os.truncate(path, 10)


def damage(path: Path) -> None:
    path.write_bytes(bytes(FILE))


@pytest.mark.parametrize(
    ("fault", "reason"), [(lose, "No such file or directory"), (cut, "truncated shard"), (damage, "damaged image")]
)
def test_a_copy_that_is_lost_or_damaged_is_given_up(
    results: Path, tmp_path: Path, fault: Any, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    images = shared(results)
    with near(images, tmp_path) as (mine, _):
        fault(copies(tmp_path)[0])
        assert read(mine) == [blob(i) for i in range(9)]
        assert read(mine) == [blob(i) for i in range(9)]
        (line,) = (record.message for record in caplog.records if record.levelno == logging.WARNING)
        assert line.startswith(f"{reason} in ")
        assert len(copies(tmp_path)) == 2, "nobody else uses it"
    with near(images, tmp_path) as (_, report):
        assert report.copied == FILE


def test_a_local_disk_that_fails_is_given_up_at_once(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    images = shared(results, 1)
    with near(images, tmp_path) as (mine, _):
        real, calls = os.pread, iter(range(99))

        def failing(*args: Any) -> bytes:
            if next(calls) == 0:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return real(*args)

        monkeypatch.setattr(os, "pread", failing)
        assert read(mine) == [blob(i) for i in range(3)]
        (line,) = (record.message for record in caplog.records if record.levelno == logging.WARNING)
        assert line.startswith("Input/output error in ") and line.endswith(f"; reading {images.tars[0]} instead")


def test_too_many_open_files_cost_no_copy(results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with near(shared(results, 1), tmp_path) as (mine, _), monkeypatch.context() as patched:

        def failing(*_: Any) -> int:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

        patched.setattr(os, "open", failing)
        with pytest.raises(OSError, match="Too many open files"):
            mine.bytes(0)
        patched.undo()
        assert len(copies(tmp_path)) == 1 and mine.bytes(0) == blob(0)


def test_a_noted_folder_in_a_private_folder_of_another_user_is_kept(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("private", "gone"):
        (tmp_path / name).mkdir()
        note_folder(results, str(tmp_path / name))
        own(tmp_path / name).mkdir()
    shutil.rmtree(tmp_path / "gone")
    real = Path.stat

    def forbidding(path: Path, **options: Any) -> os.stat_result:
        if "private" in path.parts:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return real(path, **options)

    monkeypatch.setattr(Path, "stat", forbidding)
    note_folder(results, str(tmp_path))
    noted = places(results)
    assert {place.folder.parent for place in noted[0]} == {tmp_path / "private", tmp_path}
    monkeypatch.undo()
    monkeypatch.setattr(stage_in, "places", lambda _: noted)
    for _ in range(2):  # another job may remove the note of a folder that is gone
        note_folder(results, str(tmp_path / "private"))
    assert len(places(results)[0]) == 1


@pytest.mark.parametrize(
    "noted",
    [
        {"folder": "{home}/photos"},
        {"folder": "{home}/faithful-pairs-1/../photos"},
        {"folder": "photos/faithful-pairs-1"},
        {"folder": ""},
        {"folder": ["x"]},
        {"host": 3},
    ],
    ids=str,
)
def test_a_note_that_names_another_folder_is_damaged(results: Path, tmp_path: Path, noted: dict[str, Any]) -> None:
    """``remove`` deletes what is in a node's folder of copies and is no copy any more."""
    photos = tmp_path / "photos"
    photos.mkdir(mode=0o755)
    (photos / "1.jpg").touch()
    text = {name: one.format(home=tmp_path) if isinstance(one, str) else one for name, one in noted.items()}
    path = results / STAGED_IN / "note.json"
    write_note(path, {"host": socket.gethostname(), "folder": str(photos)} | text)
    assert places(results) == ([], [path])
    removed, left = remove_copies(results)
    assert removed == 0 and str(path) in left[0] and (photos / "1.jpg").exists()


@pytest.mark.parametrize("number", sorted(patience.PASSING))
def test_errors_of_the_file_server_are_repeated_and_then_reported(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    images, left = shared(results), failing_reads(monkeypatch, number)
    left[0] = 2
    with near(images, tmp_path / "once") as (mine, report):
        assert report.copied == 3 * FILE and read(mine) == [blob(i) for i in range(9)]
    left[0] = 99
    with pytest.raises(OSError, match=os.strerror(number)) as caught, near(images, tmp_path / "always"):
        pass
    error = storage_error(caught.value, "pretrain", ())
    assert str(error).startswith(f"storage error of pretrain in {images.tars[0]}: {os.strerror(number)};")
    assert copies(tmp_path / "always") == []


def test_copies_are_bounded_and_the_least_recently_used_is_evicted(results: Path, tmp_path: Path) -> None:
    one, two, three = (shared(results, 1, first) for first in range(3))
    for images in (one, two):
        with near(images, tmp_path, 2 * FILE):
            pass
    for path in copies(tmp_path):
        os.utime(path, (1, 1))
    with near(one, tmp_path, 2 * FILE):
        (oldest,) = (path for path in copies(tmp_path) if path.stat().st_mtime == 1)
    with near(three, tmp_path, 2 * FILE) as (_, report):
        assert report.copied == FILE and oldest not in copies(tmp_path) and len(copies(tmp_path)) == 2
        with near(one, tmp_path, 2 * FILE) as (_, kept), near(two, tmp_path, 2 * FILE) as (mine, none):
            assert kept.copied == 0
            assert (none.files, none.on_shared) == (0, {"no_room": 1}), "both copies are in use"
            assert read(mine) == [blob(i) for i in range(3, 6)]
    with near(two, tmp_path, FILE) as (_, report):
        assert report.copied == FILE and len(copies(tmp_path)) == 1


def test_without_a_usable_folder_images_are_read_where_they_are(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = shared(results)
    monkeypatch.delenv("NO_SUCH_FOLDER", raising=False)
    (tmp_path / "file").write_bytes(b"")
    own(tmp_path / "loose").mkdir(parents=True)
    own(tmp_path / "loose").chmod(0o777)
    monkeypatch.setenv("EMPTY", "")
    for folder in (Path("$NO_SUCH_FOLDER"), Path("$EMPTY"), tmp_path / "file", tmp_path / "loose"):
        with staged(images, str(folder), 10**6, lambda: None) as (mine, report):
            assert report.on_shared == {"folder": 3} and read(mine) == [blob(i) for i in range(9)]


def test_a_full_disk_and_a_damaged_original(results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = shared(results)
    images.tars[1].write_bytes(bytes(FILE))
    with near(images, tmp_path / "some") as (mine, report):
        assert (report.files, report.on_shared) == (2, {"damaged": 1})
        assert mine.bytes(0) == blob(0)
        with pytest.raises(Exception, match=f"damaged image in {images.tars[1]}"):
            mine.bytes(3)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(store.shutil, "disk_usage", lambda _: usage._replace(free=FILE))
    with near(images, tmp_path / "full") as (mine, report):
        assert report.on_shared == {"no_room": 3} and mine.bytes(8) == blob(8)


def test_other_files_and_links_in_the_folder_of_copies_are_kept(results: Path, tmp_path: Path) -> None:
    with near(shared(results), tmp_path):
        pass
    folder, photos = own(tmp_path), tmp_path / "photos.tar"
    photos.write_bytes(b"")
    mine = [folder / name for name in ("notes.txt", "a.part", "b.tar.origin", "c.tar")]
    for path in mine:
        path.write_text("mine")
    (folder / f"{'5a' * 32}.tar").symlink_to(photos)
    (folder / f"{'5b' * 32}.part").write_text("left by a kill")
    with near(shared(results), tmp_path):
        pass
    assert all(path.exists() for path in mine) and (folder / f"{'5a' * 32}.tar").is_symlink()
    assert not (folder / f"{'5b' * 32}.part").exists()


def test_copies_whose_original_was_replaced_are_removed(results: Path, tmp_path: Path) -> None:
    images = shared(results)
    with near(images, tmp_path):
        make_artifact(results, "download", "00001", {".tar": b"other"})
        images.tars[2].with_name("00002.manifest.json").unlink()
        with near(shared(results, 1), tmp_path):
            assert len(copies(tmp_path)) == 3, "they are in use"
    with near(shared(results, 1), tmp_path) as (_, report):
        assert report.copied == 0
    assert len(copies(tmp_path)) == 1
    assert len(list(own(tmp_path).glob("*.origin"))) == 1
