"""What studies share: the rest of the cache, remembered hashes, and the store of fetched bytes."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.provenance.chain import Chain, finished
from workflow_scripts.acquisition.states import State
from workflow_scripts.acquisition.store.record import Record
from workflow_scripts.acquisition.store.segment import seal
from workflow_scripts.acquisition.store.store import Store
from workflow_scripts.audit.audit import audit
from workflow_scripts.core.files.names import FETCHED
from workflow_scripts.core.files.notes import write_note
from workflow_scripts.core.sources import REMEMBERED


def faults(results: Path) -> list[tuple[str, str]]:
    """Kind and file name of each."""
    found = [fault for study in audit([results], [], quick=False, jobs=2) for fault in study.faults]
    return [(fault.kind, fault.path.name) for fault in found]


@pytest.fixture
def chain(results: Path, tmp_path: Path) -> Chain:
    """A finished study, an unused cache entry, and a store of two images."""
    made = finished(results, tmp_path / "outside")
    made.make("data_card/old", [".json", ".txt"])
    for path in (made.study / "data_card").iterdir():
        path.unlink()
    (made.study / "data_card").rmdir()
    with Store(results / FETCHED, "job") as store:
        for name, data in (("a", b"first image"), ("b", b"second image")):
            store.add(Record(f"https://x.invalid/{name}", State.OK, 200), data)
        store.seal()
    assert faults(results) == []
    return made


def overwrite(path: Path, change: Callable[[bytes], bytes]) -> None:
    path.chmod(0o644)
    path.write_bytes(change(path.read_bytes()))


def flipped(data: bytes) -> bytes:
    return data[:-3] + bytes([data[-3] ^ 1]) + data[-2:]


@pytest.mark.parametrize("name", ["manifest.json", "run.json", "files/_.json"])
def test_an_unused_entry_is_checked(chain: Chain, name: str) -> None:
    entry = next((chain.results / ".cache" / "data_card").iterdir())
    overwrite(entry / name, flipped)
    assert [kind for kind, _ in faults(chain.results)] == ["damaged-store"]
    (entry / name).unlink()
    os.mkfifo(entry / name)
    assert [kind for kind, _ in faults(chain.results)] == ["damaged-store"]


def test_a_link_in_an_unused_entry_is_named(chain: Chain) -> None:
    entry = next((chain.results / ".cache" / "data_card").iterdir())
    (entry / "files").rename(chain.results.parent / "moved")
    (entry / "files").symlink_to(chain.results.parent / "moved")
    assert faults(chain.results) == [("damaged-store", entry.name)]


@pytest.mark.parametrize("name", [".cache", ".cache/data_card", ".fetched", ".configs", ".configs/study.json"])
def test_a_symbolic_link_beside_the_studies_is_a_fault(chain: Chain, name: str) -> None:
    (chain.results / name).rename(chain.results.parent / "moved")
    (chain.results / name).symlink_to(chain.results.parent / "moved")
    assert faults(chain.results) == [("link", Path(name).name)]


@pytest.mark.parametrize("name", [".cache", ".cache/data_card", ".cache/x.txt", ".fetched"])
def test_a_pipe_instead_of_a_folder_is_a_fault(chain: Chain, name: str) -> None:
    place = chain.results / name
    shutil.rmtree(place, ignore_errors=True)
    os.mkfifo(place)
    assert faults(chain.results) == [("damaged-store", place.name)]


def test_remembered_hashes_are_checked(chain: Chain) -> None:
    path = chain.results / REMEMBERED / "0.json"
    write_note(path, {"files": {"weights.bin": [[1, 2, 3], "0" * 64]}})
    assert faults(chain.results) == []
    overwrite(path, flipped)
    assert faults(chain.results) == [("damaged-store", path.name)]


def test_lost_bytes_and_lines_of_the_store_are_named(chain: Chain) -> None:
    lines = next((chain.results / FETCHED).glob("*.jsonl"))
    overwrite(lines.with_suffix(".bin"), flipped)
    assert faults(chain.results) == [("damaged-store", lines.name)]
    overwrite(lines.with_suffix(".bin"), flipped)
    overwrite(lines, lambda data: b"x" + data)
    assert faults(chain.results) == [("damaged-store", lines.name)]
    overwrite(lines, lambda data: data[1:])
    overwrite(lines.with_suffix(".idx"), flipped)
    assert faults(chain.results) == [("damaged-store", lines.with_suffix(".idx").name)]
    lines.with_suffix(".idx").unlink()
    assert faults(chain.results) == []  # a job that was killed leaves no index: the next one reads the lines


@pytest.mark.parametrize("changed", [{"size": "12"}, {"offset": None}, {"size": 2**60}, {"url": 5}, {"format": "../x"}])
def test_an_edited_store_line_is_a_single_fault(chain: Chain, changed: dict[str, object]) -> None:
    lines = next((chain.results / FETCHED).glob("*.jsonl"))
    first, rest = lines.read_bytes().split(b"\n", 1)
    lines.write_bytes(json.dumps({**json.loads(first), **changed}).encode() + b"\n" + rest)
    assert faults(chain.results) == [("damaged-store", lines.name)]


@pytest.mark.parametrize("sealed", [True, False])
@pytest.mark.parametrize("suffix", [".jsonl", ".bin"])
def test_a_segment_without_its_lines_or_its_bytes_is_a_fault(chain: Chain, suffix: str, sealed: bool) -> None:
    lines = next((chain.results / FETCHED).glob("*.jsonl"))
    if not sealed:
        lines.with_suffix(".idx").unlink()
    lines.with_suffix(suffix).unlink()
    assert faults(chain.results) == [("damaged-store", lines.name)]


def test_a_line_removed_along_with_its_index_entry_is_a_fault(chain: Chain) -> None:
    lines = next((chain.results / FETCHED).glob("*.jsonl"))
    overwrite(lines, lambda data: data.split(b"\n", 1)[1])
    seal(lines.with_suffix(""), ended=True)
    assert faults(chain.results) == [("damaged-store", lines.name)]
    overwrite(lines, lambda data: b"")
    seal(lines.with_suffix(""), ended=True)
    assert faults(chain.results) == [("damaged-store", lines.name)]


@pytest.mark.parametrize("suffix", [".jsonl", ".bin", ".idx"])
def test_a_link_in_the_store_is_a_fault(chain: Chain, suffix: str) -> None:
    lines = next((chain.results / FETCHED).glob("*.jsonl"))
    lines.with_suffix(suffix).rename(chain.results.parent / "moved")
    lines.with_suffix(suffix).symlink_to(chain.results.parent / "moved")
    assert faults(chain.results) == [("damaged-store", lines.name)]


def test_a_pipe_in_the_store_blocks_nothing(chain: Chain) -> None:
    lines = next((chain.results / FETCHED).glob("*.jsonl"))
    lines.with_suffix(".bin").unlink()
    os.mkfifo(lines.with_suffix(".bin"))
    assert faults(chain.results) == [("damaged-store", lines.name)]


def test_times_in_the_store_have_no_hashes(chain: Chain) -> None:
    """``how-images-came`` in docs/audit.md."""
    lines = next((chain.results / FETCHED).glob("*.jsonl"))
    first, rest = lines.read_bytes().split(b"\n", 1)
    record = json.loads(first)
    length = len(first)
    text = first.replace(str(record["finished"]).encode(), str(record["finished"] - 1000).encode())
    assert len(text) == length and text != first
    lines.write_bytes(text + b"\n" + rest)
    assert faults(chain.results) == []
