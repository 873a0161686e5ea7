"""What goes from the cache, what stays, and that the bytes said are the bytes freed."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from workflow_scripts.commands.cache_gc import parse_size
from workflow_scripts.commands.main import main
from workflow_scripts.core.cache import key_lock
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.removal.gc import DAY, collect, plan

RANDOM = "0f" * 16  # as in temporary names


def key_of(name: str) -> str:
    """A key in which a name can be read."""
    return name.encode().hex().ljust(64, "0")


def name_of(path: Path) -> str:
    """The name in the key of a folder."""
    return bytes.fromhex(path.name).rstrip(b"\0").decode()


def entry(results: Path, stage: str, name: str, size: int, used: float, study: str | None = None) -> Path:
    """A cache entry of ``size`` bytes of data, last used at ``used``; linked and recorded by ``study`` if given."""
    key = key_of(name)
    folder = results / ".cache" / stage / key
    (folder / "files").mkdir(parents=True)
    data = folder / "files" / "_.bin"
    data.write_bytes(b"x" * size)
    for file in ("manifest.json", "run.json"):
        (folder / file).write_text("{}")
    os.utime(folder / "manifest.json", (used, used))
    if study is not None:
        place = results / study / stage
        place.mkdir(parents=True, exist_ok=True)
        os.link(data, place / f"{name}.bin")
        (place / f"{name}.run.json").write_text(json.dumps({"key": key}))
    return folder


def names(results: Path) -> set[str]:
    """``<stage>/<key>`` of all entries."""
    return {f"{path.parent.name}/{name_of(path)}" for path in (results / ".cache").glob("[!p]*/*")}


@pytest.fixture
def filled(results: Path) -> Path:
    """Two used entries (of two studies), three unused ones."""
    entry(results, "a", "used", 1000, 1.0, study="one")
    entry(results, "b", "other", 500, 2.0, study="two")
    for age, size in enumerate((100, 200, 400)):
        entry(results, "a", f"free{size}", size, 10.0 + age)
    return results


def test_without_a_limit_exactly_the_unused_entries_are_deleted(filled: Path) -> None:
    made = plan(filled, None, DAY)
    assert [name_of(one.path) for one in made.remove] == ["free100", "free200", "free400"]
    assert made.cache == 2200 + 5 * 4  # two JSON files of two bytes each
    assert made.in_use == 1500 + 2 * 4
    went, stayed = collect(filled, made.remove)
    assert (len(went), stayed) == (3, [])
    assert sum(one.freed for one in went) == 700 + 3 * 4
    assert names(filled) == {"a/used", "b/other"}
    assert (filled / "one/a/used.bin").stat().st_size == 1000
    assert not list((filled / ".work").glob("*/*"))


def test_the_least_recently_used_entries_are_deleted_until_the_cache_fits(filled: Path) -> None:
    assert [name_of(one.path) for one in plan(filled, 2000, DAY).remove] == ["free100", "free200"]
    assert plan(filled, 10_000, DAY).remove == []
    assert len(plan(filled, 0, DAY).remove) == 3


def test_a_dry_run_reports_the_bytes_and_deletes_nothing(filled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = names(filled)
    assert main(["cache-gc", str(filled), "--dry-run"]) == 0
    assert names(filled) == before
    printed = capsys.readouterr().out
    assert "would delete 3 cache entries that no study uses: 712 Bytes (712 bytes)" in printed
    assert printed.splitlines()[-1] == "would free 712 Bytes (712 bytes); cache then 1.5 kB"
    free = sum(path.stat().st_blocks for path in filled.rglob("*"))
    assert main(["cache-gc", str(filled)]) == 0
    assert "freed 712 Bytes (712 bytes)" in capsys.readouterr().out
    assert sum(path.stat().st_blocks for path in filled.rglob("*")) < free


def test_entries_in_use_are_kept_even_beyond_the_size_limit(filled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cache-gc", str(filled), "--max-size", "1k"]) == 1
    assert "1.5 kB > 1.0 kB; studies use the rest" in capsys.readouterr().err
    assert names(filled) == {"a/used", "b/other"}


def test_bytes_still_linked_from_results_are_not_counted_as_freed(filled: Path) -> None:
    (filled / "one/a/used.run.json").write_text(json.dumps({"key": key_of("free100")}))
    gone = {name_of(one.path): one for one in plan(filled, None, DAY).remove}
    assert "free100" not in gone
    assert (gone["used"].held, gone["used"].freed) == (1004, 4)


def test_an_unreadable_record_protects_the_cache_of_its_stage(filled: Path) -> None:
    (filled / "one/a/used.run.json").write_text("{")
    made = plan(filled, None, DAY)
    assert made.remove == []
    assert made.spared == {"a": str(filled / "one/a/used.run.json")}


def test_locked_or_recently_used_entries_are_kept(filled: Path) -> None:
    made = plan(filled, None, DAY)
    os.utime(filled / f".cache/a/{key_of('free200')}/manifest.json")
    with key_lock(filled / f".work/a/{key_of('free100')}"):
        went, stayed = collect(filled, made.remove)
    assert [name_of(one.path) for one in went] == ["free400"]
    assert {name_of(one.path) for one in stayed} == {"free100", "free200"}


def test_leftovers_of_dead_jobs_are_deleted_and_live_or_recent_work_is_kept(filled: Path) -> None:
    for stage, key, age in [("a", "used", 0), ("a", "young", 1), ("a", "old", 30)]:
        work = filled / ".work" / stage / key_of(key)
        work.mkdir(parents=True)
        for path in (work / "half", work):
            path.touch()
            os.utime(path, (100 * DAY - age * DAY,) * 2)
    staging = filled / ".cache/.staging"
    staged = staging / f"a-{key_of('live')}-{RANDOM}"
    dead = staging / f"shard_plan-{key_of('dead')}-{RANDOM}"
    for folder in (staged, dead, filled / f".cache/a/.discarded-{RANDOM}"):
        folder.mkdir(parents=True)
        (folder / "file").write_text("12345")
    part = filled / f"one/pack/.x.bin.{RANDOM}.part"
    part.parent.mkdir()
    part.write_text("123")
    crate = filled / f"one/.crate.{RANDOM}.part.old"  # the one that was being replaced
    crate.mkdir()
    (crate / "file").write_text("1234")
    for path in (part, crate / "file", crate):
        os.utime(path, (97 * DAY,) * 2)
    made = plan(filled, 10_000, 14 * DAY, now=100 * DAY)
    with key_lock(filled / f".work/a/{key_of('live')}"):
        went, stayed = collect(filled, made.remove)
    assert sorted((one.kind, one.path.name, one.freed) for one in went) == [
        ("discarded", f".discarded-{RANDOM}", 5),
        ("part", f".crate.{RANDOM}.part.old", 4),
        ("part", f".x.bin.{RANDOM}.part", 3),
        ("staging", f"shard_plan-{key_of('dead')}-{RANDOM}", 5),
        ("work", key_of("old"), 0),
        ("work", key_of("used"), 0),
    ]
    assert [one.path for one in stayed] == [staged]
    assert {name_of(path) for path in (filled / ".work").glob("*/*")} == {"young"}


def test_a_folder_that_vanishes_during_the_scan_is_not_an_error(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shared = [filled / f".work/a/{key_of('key')}", filled / f".cache/a/{key_of('free100')}"]
    going = [*shared, filled / "one/a/x", filled / "one/a/y"]
    for folder in going:
        (folder / "inside").mkdir(parents=True)
        (folder / "inside" / f".x.bin.{RANDOM}.part").touch()
    listed = os.scandir

    def scandir(path: Any) -> Any:
        if not isinstance(path, int) and Path(path) in going:
            going.remove(Path(path))
            shutil.rmtree(path)
        return listed(path)

    monkeypatch.setattr(os, "scandir", scandir)
    made = plan(filled, None, DAY)
    assert not going, "nothing went meanwhile"
    assert {name_of(one.path) for one in made.remove} >= {"free200", "free400"}


def test_a_folder_without_cache_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="no cache"):
        plan(tmp_path, None, DAY)


@pytest.mark.parametrize("argument", ["--work-days=-1", "--work-days=nan"])
def test_a_number_of_days_is_not_negative(filled: Path, argument: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cache-gc", str(filled), argument]) == 2
    assert "is not a number of days" in capsys.readouterr().err
    assert len(names(filled)) == 5


def test_a_cache_folder_of_another_program_is_refused(filled: Path) -> None:
    other = filled / ".cache" / "pip" / "wheels"
    other.mkdir(parents=True)
    (other / "some.whl").write_bytes(b"x")
    with pytest.raises(PipelineError, match="not a results folder's cache"):
        plan(filled, None, DAY)
    assert (other / "some.whl").exists() and len(names(filled)) == 5


@pytest.mark.parametrize(
    ("text", "size"),
    [("0", 0), ("7", 7), ("500G", 500 * 10**9), ("1.5tb", 15 * 10**11), ("2 MiB", 2 * 2**20), ("3k", 3000)],
)
def test_sizes_as_people_write_them(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "G", "-1", "5 parsecs", "1e9"])
def test_malformed_sizes_are_rejected(text: str) -> None:
    with pytest.raises(ValueError, match="not a size"):
        parse_size(text)
