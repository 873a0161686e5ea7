"""The contract: one key, one computation; atomic; damage is found; work survives a fault."""

import errno
import json
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.core.doubling import CALLS, Doubling, digest_of_a_test_stage
from tests.helpers import Fails, make_artifact, run
from workflow_scripts.core.artifact import Artifact
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.bounded_json import Unfit
from workflow_scripts.core.files.jsonio import digest, pretty
from workflow_scripts.core.publish import _remove_strays
from workflow_scripts.core.record import read_entry
from workflow_scripts.core.runtime import process, stage
from workflow_scripts.core.runtime.command_line import arguments
from workflow_scripts.core.runtime.stage import Job, Stage

__all__ = ["digest_of_a_test_stage"]  # a fixture


def doubling(job: Job[Doubling]) -> None:
    """Repeats its input; counts its calls; fails after a first piece of work when told to."""
    CALLS.append(job.stage.name)
    text = job.input("text").path(".txt").read_text()
    done = job.work / "half"
    if not done.exists():
        done.write_text(text)
        if job.settings.fail:
            raise PipelineError("a fault", "here", 7, "try again")
    job.file(".txt").write_text(text * job.settings.times)
    job.file("/deep/more.txt").write_text("more")
    job.beside(".times.txt").write_text("outside")
    job.rows(3, 2, {"empty": 1})


STAGE = Stage(run=doubling, settings=Doubling, artifact="{arm}", not_in_key=frozenset({"note"}))


@pytest.fixture
def text(results: Path) -> Path:
    """The input artifact."""
    return make_artifact(results, "text", "a", {".txt": b"ab"})


def test_files_manifest_and_record(results: Path, text: Path) -> None:
    made = run(STAGE, results, "doubling/x", {"times": 3}, {"text": text}, {"arm": "x"})
    assert made.path(".txt").read_text() == "ababab"
    assert made.suffixes == [".txt", "/deep/more.txt"]
    assert made.rows == {"in": 3, "out": 2, "dropped": {"empty": 1}}
    assert made.unit == {"arm": "x"}
    record = json.loads((results / "study/doubling/x.run.json").read_bytes())
    assert record["inputs"] == {"text": [Artifact(text).hash]}
    assert record["cached"] is False
    assert record["manifest"] == digest(made.manifest)
    assert record["artifact"] == "doubling/x"
    assert record["closure"] == {"module": "parsed"}
    assert record["git"].keys() == {"commit", "dirty", "diff"}
    assert record["not_in_key"] == ["note"]
    assert record["beside"] == {".times.txt": {"sha256": sha256(b"outside").hexdigest(), "bytes": 7}}
    assert record.pop("self") == digest(record)
    assert (results / "study/doubling/x.times.txt").read_text() == "outside"
    assert not stat.S_IMODE(made.path(".txt").stat().st_mode) & 0o222
    assert os.access(results / "study/doubling/x.manifest.json", os.W_OK)
    assert not any((results / ".work/doubling").iterdir())


def test_many_inputs_may_be_given_by_their_range(results: Path) -> None:
    for name in ("008", "009", "010"):
        make_artifact(results, "text", name, {".txt": b"ab"})
    stem = results / "study/text"
    job = Job(
        STAGE,
        Doubling(),
        arguments("x", ["--artifact", "a", "--settings", "", "--input", f"t={stem}/{{008..010}}.manifest.json"]),
    )
    assert [one.name for one in job.inputs("t")] == ["008", "009", "010"]


def test_same_key_is_computed_once_and_other_settings_again(results: Path, text: Path) -> None:
    first = run(STAGE, results, "doubling/x", {}, {"text": text})
    for name in (".manifest.json", ".run.json", ".txt"):
        (results / f"study/doubling/x{name}").unlink()
    again = run(STAGE, results, "doubling/x", {"note": "changes no bytes"}, {"text": text})
    assert again.hash == first.hash
    assert CALLS == ["doubling"]
    record = json.loads((results / "study/doubling/x.run.json").read_bytes())
    assert record["cached"] is True
    assert record["original"]["start"]
    run(STAGE, results, "doubling/x", {"times": 5}, {"text": text})
    run(STAGE, results, "doubling/y", {}, {"text": text}, {"arm": "y"})
    assert len(CALLS) == 3


def test_a_reuse_in_the_same_millisecond_is_recorded_as_cached(
    results: Path, text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workflow_scripts.core.runtime.machine.now", lambda: "2026-01-01T00:00:00.000+00:00")
    recorded = []
    for name in ("x", "y"):
        run(STAGE, results, f"doubling/{name}", {}, {"text": text})
        recorded.append(json.loads((results / f"study/doubling/{name}.run.json").read_bytes()))
    assert CALLS == ["doubling"]
    assert [record["cached"] for record in recorded] == [False, True]
    assert {**recorded[1]["original"], "cached": False}.keys() == recorded[0].keys()


def test_a_job_records_its_gpu_and_takes_none_if_it_is_cached(
    results: Path, text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    @contextmanager
    def taken(wanted: int) -> Iterator[list[str]]:
        asked.append(wanted)
        yield ["GPU-5"] * wanted

    monkeypatch.setattr("workflow_scripts.core.runtime.stage.gpus_taken", taken)
    monkeypatch.setattr("workflow_scripts.core.runtime.stage.check_device", lambda device: None)
    for name in ("x", "y"):
        run(STAGE, results, f"doubling/{name}", {}, {"text": text}, options=("--device", "cuda"))
    assert asked == [1]
    assert json.loads((results / "study/doubling/x.run.json").read_bytes())["facts"] == {"gpus": ["GPU-5"]}
    run(STAGE, results, "doubling/x", {"times": 5}, {"text": text})
    assert asked == [1]


def test_changed_input_is_another_key(results: Path, text: Path) -> None:
    run(STAGE, results, "doubling/x", {}, {"text": text})
    other = make_artifact(results, "text", "a", {".txt": b"cd"})
    assert run(STAGE, results, "doubling/x", {}, {"text": other}).path(".txt").read_text() == "cdcd"


def test_damaged_cache_entry_is_recomputed(results: Path, text: Path) -> None:
    made = run(STAGE, results, "doubling/x", {}, {"text": text})
    stored = next((results / ".cache/doubling").glob("*/files/_.txt"))
    stored.chmod(0o644)
    stored.write_bytes(b"ABAB")
    again = run(STAGE, results, "doubling/x", {}, {"text": text})
    assert len(CALLS) == 2
    assert again.path(".txt").read_text() == "abab"
    assert again.hash == made.hash


def test_a_missing_data_file_is_linked_again_and_a_truncated_file_refused(results: Path, text: Path) -> None:
    made = run(STAGE, results, "doubling/x", {}, {"text": text})
    (results / "study/doubling/x.txt").unlink()
    assert made.path(".txt").read_text() == "abab"
    path = results / "study/doubling/x.txt"
    path.unlink()
    path.write_bytes(b"ab")
    with pytest.raises(PipelineError, match=r"wrong size in .*x\.txt: 2 bytes"):
        made.path(".txt")


def test_a_failing_stage_prints_a_single_line_and_leaves_only_its_work(results: Path, text: Path, fails: Fails) -> None:
    with fails("error: a fault in here: 7; try again"):
        run(STAGE, results, "doubling/x", {"fail": True}, {"text": text})
    assert not (results / "study/doubling").exists()
    assert next((results / ".work/doubling").glob("*/half")).read_text() == "ab"
    made = run(STAGE, results, "doubling/x", {"fail": True}, {"text": text})
    assert made.path(".txt").read_text() == "abab"


@pytest.mark.parametrize(
    ("on_device", "device", "events"),
    [(False, "cpu", ["left 1"]), (True, "cpu", ["kept", "left 1"]), (True, "cuda", ["left 1"])],
)
def test_a_process_whose_stage_fails_ends_at_once(
    on_device: bool, device: str, events: list[str], results: Path, text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Freed memory is kept only where a network runs on a CPU."""
    found: list[str] = []
    for name in ("start_process", "quiet_libraries"):
        monkeypatch.setattr(stage, name, lambda: None)
    monkeypatch.setattr(stage, "keep_freed_memory", lambda: found.append("kept"))
    monkeypatch.setattr(stage, "leave", lambda status: found.append(f"left {status}"))
    words = ["", "--artifact", str(results / "study/doubling/x"), "--settings", '{"fail": true}', "--device", device]
    monkeypatch.setattr("sys.argv", [*words, "--input", f"text={text}"])
    stage.run_stage(replace(STAGE, on_device=on_device))
    assert found == events


def test_a_cache_entry_is_read_to_the_byte(results: Path, text: Path) -> None:
    run(STAGE, results, "doubling/x", {}, {"text": text})
    [path] = (results / ".cache/doubling").glob("*/run.json")
    assert read_entry(path.parent, to_the_byte=True) == read_entry(path.parent)
    record = json.loads(path.read_bytes())
    for data, fault in [
        (json.dumps(record).encode(), "it is not formatted as the workflow writes it"),
        (pretty({**record, "more": 1}), "it has more"),
        (pretty({name: record[name] for name in record.keys() - {"host"}}), "it lacks host"),
        (pretty({**record, "unit": {"x" * 300: 5}}), f"its unit.{'x' * 195}: Input should be a valid string"),
    ]:
        path.write_bytes(data)
        with pytest.raises(Unfit, match=rf"^run\.json: {fault}$"):
            read_entry(path.parent, to_the_byte=True)


def test_nothing_is_computed_without_assertions(
    results: Path, text: Path, fails: Fails, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "sys", SimpleNamespace(flags=SimpleNamespace(optimize=2)))
    with fails("error: Python without assertions in PYTHONOPTIMIZE: 2; unset PYTHONOPTIMIZE"):
        run(STAGE, results, "doubling/x", {}, {"text": text})
    assert not (results / "study/doubling").exists()


@pytest.mark.parametrize(("settings", "message"), [({"tmies": 2}, "tmies"), ({"times": "many"}, "times")])
def test_wrong_settings_are_named(
    results: Path, text: Path, fails: Fails, settings: dict[str, object], message: str
) -> None:
    with fails(message):
        run(STAGE, results, "doubling/x", settings, {"text": text})


def test_stray_files_of_an_older_version_are_removed_and_no_others(results: Path, text: Path, tmp_path: Path) -> None:
    arguments = {"times": 2}, {"text": text}, {"arm": "x"}
    run(STAGE, results, "doubling/x", *arguments)
    deep = results / "study/doubling/x/deep"
    (tmp_path / "photos").mkdir()
    files = [deep / name for name in ("old.txt", "mine.jpg", "mine.txt")]
    files += [deep.parent / "mine/old.txt", tmp_path / "photos/old.txt"]
    for path in files:
        path.parent.mkdir(exist_ok=True)
        path.write_text("old")
        path.chmod(0o644 if path.name == "mine.txt" else 0o444)
    (deep / "photos").symlink_to(tmp_path / "photos")
    run(STAGE, results, "doubling/x", *arguments)
    assert [path.name for path in files if not path.exists()] == ["old.txt"] and not files[0].exists()
    shutil.rmtree(deep)
    deep.symlink_to(tmp_path / "photos")
    with pytest.raises(SystemExit):
        run(STAGE, results, "doubling/x", *arguments)
    assert files[-1].exists()


def test_stray_files_are_removed_where_the_new_version_has_none(tmp_path: Path) -> None:
    old, mine = tmp_path / "index/old.svg", tmp_path / "index/mine.svg"
    old.parent.mkdir()
    for path in (old, mine):
        path.write_text("old")
        path.chmod(0o444)
    os.link(old, tmp_path / "cached")
    _remove_strays(tmp_path / "index", {"files": {".html": {}}}, [])
    assert not old.exists() and mine.exists()


def test_a_failing_file_system_does_not_discard_the_cache_entry(
    results: Path, text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(STAGE, results, "doubling/x", {}, {"text": text})

    def stale(path: Path) -> str:
        raise OSError(errno.ESTALE, "Stale file handle")

    monkeypatch.setattr("workflow_scripts.core.cache.file_hash", stale)
    with pytest.raises(SystemExit):
        run(STAGE, results, "doubling/x", {}, {"text": text})
    monkeypatch.undo()
    assert len(list((results / ".cache/doubling").iterdir())) == 1


def test_stages_run_on_file_systems_without_locks(results: Path, text: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("workflow_scripts.core.cache.fcntl.flock", no_locks)
    assert run(STAGE, results, "doubling/x", {}, {"text": text}).path(".txt").read_text() == "abab"


def test_work_left_by_a_run_killed_after_publishing_is_removed(results: Path, text: Path) -> None:
    run(STAGE, results, "doubling/x", {}, {"text": text})
    key = next((results / ".cache/doubling").iterdir()).name
    left = results / ".work/doubling" / key
    left.mkdir(parents=True)
    (left / "half").write_text("ab")
    run(STAGE, results, "doubling/x", {}, {"text": text})
    assert not left.exists()


def test_a_numbered_unit_does_not_change_the_artifact(results: Path, text: Path) -> None:
    for n in ("3", "4"):
        run(STAGE, results, f"doubling/{n}", {}, {"text": text}, {"shard": n})
    assert CALLS == ["doubling", "doubling"]
    CALLS.clear()
    numbered = replace(STAGE, numbered=True)
    one, two = (run(numbered, results, f"doubling/{n}", {}, {"text": text}, {"shard": n}) for n in ("1", "2"))
    assert CALLS == ["doubling"] and one.hash == two.hash and one.unit == {}
    record = json.loads(two.manifest_path.with_name("2.run.json").read_bytes())
    assert record["cached"] and record["unit"] == {"shard": "2"} and record["original"]["unit"] == {"shard": "1"}
