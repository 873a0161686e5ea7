"""What a crash leaves is removed or finished, and what is complete stays."""

from pathlib import Path

import pytest

from tests.replay.training import COMPUTED, light, train
from workflow_scripts.acquisition.states import State
from workflow_scripts.acquisition.store.record import Record
from workflow_scripts.acquisition.store.segment import is_sealed
from workflow_scripts.acquisition.store.store import Store
from workflow_scripts.core.cache import key_lock
from workflow_scripts.recovery.leftovers import repair

RANDOM = "0f" * 16  # as in temporary names


@pytest.fixture
def trained(results: Path) -> Path:
    with light():
        train(results, "a")
    return results


def files(results: Path) -> set[str]:
    return {str(path.relative_to(results)) for path in results.rglob("*") if path.is_file()}


def test_nothing_is_done_where_nothing_is_wrong(trained: Path) -> None:
    before = files(trained)
    assert repair(trained) == [] == repair(trained / "not there")
    assert files(trained) == before


def test_leftovers_are_removed_and_the_next_run_finds_its_work(trained: Path) -> None:
    before = files(trained)
    key = "0" * 64
    for name in (
        f"study/pretrain/.x.txt.{RANDOM}.part",
        f"study/.crate.{RANDOM}.part/page.html",
        f".work/training/{key}/.checkpoint.safetensors.part",
        f".work/training/{key}.lock",
        f".cache/.staging/training-{key}-{RANDOM}/files/_.txt",
        f".cache/training/.discarded-{RANDOM}/run.json",
        f".cache/training/{key}/run.json",
        f".browse/study/.{key}.part/index.sqlite",
        f".fetched/.{RANDOM}.bin",
    ):
        (trained / name).parent.mkdir(parents=True, exist_ok=True)
        (trained / name).write_text("left")
    (trained / f".cache/training/{'1' * 64}").mkdir()
    assert repair(trained) == [
        "removed 1 stale lock files",
        "removed 1 unfinished indexes of the browser",
        "removed 2 temporary files",
        "removed 2 unfinished or discarded cache entries",
        "removed 2 incomplete cache entries; they are recomputed when needed",
    ]
    assert files(trained) == before
    assert repair(trained) == []
    COMPUTED.clear()
    with light():
        train(trained, "a")
    assert COMPUTED == []


def test_what_is_being_worked_on_stays(trained: Path) -> None:
    work = trained / ".work/training" / ("0" * 64)
    work.mkdir(parents=True)
    (work / ".checkpoint.safetensors.part").write_text("half")
    half = trained / f".cache/.staging/training-{work.name}-{RANDOM}"
    half.mkdir()
    with key_lock(work):
        assert repair(trained) == []
        assert half.exists() and list(work.iterdir())


def test_segments_of_interrupted_downloads_are_finished(results: Path) -> None:
    folder = results / ".fetched"
    with Store(folder, "job") as store:
        for number in range(3):
            store.add(Record(f"http://a.test/{number}", State.OK, 200), b"bytes")
    with open(folder / "job-0.jsonl", "ab") as stream:
        stream.write(b'{"url": "http://a.te')
    assert repair(results) == ["finished 1 segments of interrupted downloads"]
    assert is_sealed(folder / "job-0")
    with Store(folder, "other") as store:
        assert len(store.find([f"http://a.test/{number}" for number in range(3)], "")) == 3


@pytest.mark.parametrize("sealed", [True, False])
def test_images_whose_lines_were_lost_stay(results: Path, sealed: bool) -> None:
    folder = results / ".fetched"
    with Store(folder, "job") as store:
        store.add(Record("http://a.test/1", State.OK, 200), b"bytes")
        if sealed:
            store.seal()
    lines = (folder / "job-0.jsonl").read_bytes()
    (folder / "job-0.jsonl").unlink()
    repair(results)
    (folder / "job-0.jsonl").write_bytes(lines)
    with Store(folder, "other") as store:
        assert store.data(store.find(["http://a.test/1"], "")["http://a.test/1"]) == b"bytes"


def test_what_a_killed_removal_left_is_removed(results: Path) -> None:
    folder, segment = results / ".fetched", "0123456789abcdef-0"
    with Store(folder, "0123456789abcdef") as store:
        store.add(Record("http://a.test/1", State.OK, 200), b"bytes")
        store.seal()
    for name in (f".{RANDOM}.jsonl", f".{RANDOM}.bin", f"{segment}+0f0f0f0f.bin", f"{segment}+0f0f0f0f.idx"):
        (folder / name).write_bytes(b"left")
    repair(results)
    assert {path.name for path in folder.iterdir()} == {f"{segment}{suffix}" for suffix in (".jsonl", ".bin", ".idx")}


def test_an_artifact_without_its_manifest_is_counted_and_published_by_the_next_run(trained: Path) -> None:
    (trained / "study/training/x.manifest.json").unlink()
    assert repair(trained) == ["1 artifacts were being replaced; run snakemake to publish them"]
    with light():
        train(trained, "a")
    assert repair(trained) == []


def test_a_crate_that_was_being_replaced_is_put_back(results: Path) -> None:
    aside = results / f"study/.crate.{RANDOM}.part.old"
    aside.mkdir(parents=True)
    (aside / "page.html").write_text("page")
    assert repair(results) == ["restored 1 crates that were being replaced"]
    assert (results / "study/crate/page.html").read_text() == "page"
