"""One process that makes what other jobs would: the same artifacts, and no fault of one ends another."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.core.doubling import CALLS, Doubling, digest_of_a_test_stage
from tests.helpers import make_artifact, run
from workflow_scripts.core.artifact import MANIFEST, RUN, Artifact
from workflow_scripts.core.cache import key_lock
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.bounded_json import read_object
from workflow_scripts.core.files.names import STAGING, WORK
from workflow_scripts.core.runtime.meter import current
from workflow_scripts.core.runtime.stage import Job, Stage, read_all

__all__ = ["digest_of_a_test_stage"]  # a fixture


def shared(job: Job[Doubling]) -> None:
    """Makes the artifacts of all its jobs, each from its own input."""
    current().count(6)
    CALLS.append(",".join(one.unit["arm"] for one in [job, *job.others]))
    for one in [job, *job.others]:
        one.file(".txt").write_text(one.input("text").path(".txt").read_text() * job.settings.times)
        if one.settings.fail:
            raise PipelineError("a fault", "here", 7, "try again")


TOGETHER = Stage(run=shared, settings=Doubling, artifact="{arm}")


def words(results: Path, arms: str) -> list[str]:
    """``--also`` for these arms."""
    folder = results / "study"
    return [
        word
        for arm in arms
        for word in ("--also", str(folder / "shared" / arm), f"arm={arm}", f"text={folder}/text/{arm}{MANIFEST}")
    ]


def test_a_process_can_make_the_artifacts_of_other_jobs(results: Path) -> None:
    texts = {arm: make_artifact(results, "text", arm, {".txt": arm.encode()}) for arm in "abc"}

    def made(arm: str, also: str = "") -> Artifact:
        inputs, unit = {"text": texts[arm]}, {"arm": arm}
        return run(TOGETHER, results, f"shared/{arm}", {}, inputs, unit, options=words(results, also))

    alone = made("c").hash
    made("a", also="bcd")  # c is in the cache, and d has no input yet
    assert CALLS == ["c", "a,b"]
    assert [read_object(results / f"study/shared/{arm}{RUN}")["figures"]["images"] for arm in "ca"] == [6, 3]
    assert not (results / "study/shared" / f"b{MANIFEST}").exists(), "its own job publishes it"
    assert made("b", also="ac").path(".txt").read_text() == "bb"
    assert made("c").hash == alone
    assert CALLS == ["c", "a,b"]
    assert not list((results / WORK).glob("*/*"))


def _read_then(change: Callable[[Job[Doubling]], None], after: Callable[[Job[Doubling]], None]) -> Stage[Doubling]:
    """A stage like TOGETHER that reads by read_all; ``change`` and ``after`` act on a job during and after its read."""

    def read(one: Job[Doubling]) -> str:
        text = one.input("text").path(".txt").read_text()
        change(one)
        return text

    def shared(job: Job[Doubling]) -> None:
        texts = read_all(job, read)
        CALLS.append(",".join(one.unit["arm"] for one, _ in texts))
        for one, text in texts:
            after(one)
            one.file(".txt").write_text(text * job.settings.times)

    return replace(TOGETHER, run=shared)


def _nothing(job: Job[Doubling]) -> None:
    pass


def _break(job: Job[Doubling]) -> None:
    if job.unit["arm"] == "b":
        path = job.input("text").location(".txt")
        path.chmod(0o644)
        path.write_text("changed")


def _refuse(job: Job[Doubling]) -> None:
    if job.unit["arm"] == "b":
        raise PipelineError("stale", "b", 7, "rerun it")


@pytest.mark.parametrize("fault", ["manifest", "bytes", "refused", "while read"])
def test_a_faulty_input_of_another_job_is_left_to_that_job(results: Path, fault: str) -> None:
    texts = {arm: make_artifact(results, "text", arm, {".txt": arm.encode()}) for arm in "abc"}
    if fault == "manifest":
        texts["b"].write_text("{")
    if fault == "bytes":
        texts["b"].with_name("b.txt").chmod(0o644)
        texts["b"].with_name("b.txt").write_text("x")
    change = {"refused": _refuse, "while read": _break}.get(fault, _nothing)
    stage = _read_then(change, _nothing)
    made = run(stage, results, "shared/a", {}, {"text": texts["a"]}, {"arm": "a"}, options=words(results, "bc"))
    assert CALLS == ["a,c"] and made.path(".txt").read_text() == "aa"
    assert len(list((results / ".cache/shared").iterdir())) == 2
    assert not list((results / ".cache").glob(f"{STAGING}/*"))
    assert not list((results / WORK).glob("*/*"))


def test_an_input_of_another_job_may_change_after_it_was_read(results: Path) -> None:
    texts = {arm: make_artifact(results, "text", arm, {".txt": arm.encode()}) for arm in "ab"}
    stage = _read_then(_nothing, _break)
    made = run(stage, results, "shared/a", {}, {"text": texts["a"]}, {"arm": "a"}, options=words(results, "b"))
    assert CALLS == ["a,b"] and made.path(".txt").read_text() == "aa"
    kept = {path.read_text() for path in (results / ".cache/shared").rglob("*.txt")}
    assert kept == {"aa", "bb"}, "computed from what was verified"


def test_a_changed_input_fails_the_job_that_was_asked_for(results: Path) -> None:
    texts = {arm: make_artifact(results, "text", arm, {".txt": arm.encode()}) for arm in "ab"}
    with pytest.raises(SystemExit):
        run(
            _read_then(_nothing, _break), results, "shared/b", {}, {"text": texts["b"]}, {"arm": "b"},
            options=words(results, "a"),
        )  # fmt: skip
    assert not list((results / ".cache").glob("shared/*"))


def test_an_artifact_in_progress_elsewhere_is_skipped(results: Path) -> None:
    texts = {arm: make_artifact(results, "text", arm, {".txt": arm.encode()}) for arm in "ab"}
    recipes: list[Path] = []

    def listening(job: Job[Doubling]) -> None:
        recipes.extend(one.work for one in job.others)
        shared(job)

    def make() -> None:
        listens, unit = replace(TOGETHER, run=listening), {"arm": "a"}
        run(listens, results, "listening/a", {}, {"text": texts["a"]}, unit, options=words(results, "b"))

    make()
    (work,) = recipes
    shutil.rmtree(results / ".cache")
    CALLS.clear()
    work.mkdir(parents=True, exist_ok=True)
    with key_lock(work):
        make()
        assert CALLS == ["a"] and work.is_dir()


def test_a_failed_shared_computation_publishes_nothing(results: Path) -> None:
    texts = {arm: make_artifact(results, "text", arm, {".txt": arm.encode()}) for arm in "ab"}
    with pytest.raises(SystemExit):
        run(
            TOGETHER, results, "shared/a", {"fail": True}, {"text": texts["a"]}, {"arm": "a"},
            options=words(results, "b"),
        )  # fmt: skip
    assert not list(results.rglob("_.txt"))
