"""One process that makes artifact after artifact: the same ones, whatever happens to it or to any of them."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.core.doubling import CALLS, Doubling, digest_of_a_test_stage
from tests.helpers import make_artifact, run
from workflow_scripts.core.artifact import MANIFEST, Artifact
from workflow_scripts.core.cache import key_lock
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.names import STAGING, WORK, work_folder
from workflow_scripts.core.inputs import check_unchanged
from workflow_scripts.core.runtime.command_line import arguments, in_turn
from workflow_scripts.core.runtime.stage import Job, Stage

__all__ = ["digest_of_a_test_stage"]  # a fixture


def alone(job: Job[Doubling]) -> None:
    """Makes its own artifact from its own part and from what the process keeps of the model."""
    model = job.keep("model", lambda: CALLS.append("load") or job.input("model").path(".txt").read_text())
    CALLS.append(job.unit["part"])
    job.file(".txt").write_text(job.input("part").path(".txt").read_text() + model)


STAGE = Stage(run=alone, settings=Doubling, artifact="{part}", numbered=True)
Given = Callable[[str], Path]


@pytest.fixture
def given(results: Path) -> Given:
    """Makes the input of a part, beside the model that all read."""
    make_artifact(results, "source", "model", {".txt": b"!"})
    return lambda part: make_artifact(results, "parts", part, {".txt": part.encode()})


def made(results: Path, part: str, queue: str = "", stage: Stage[Doubling] = STAGE) -> Artifact:
    """The stage run for a part, with a queue of others."""
    inputs = {name: results / f"study/{name}{MANIFEST}" for name in (f"parts/{part}", "source/model")}
    named = dict(zip(("part", "model"), inputs.values(), strict=True))
    return run(stage, results, f"alone/{part}", {}, named, {"part": part}, options=["--in-turn", f"part={queue}"])


def texts(results: Path) -> dict[str, str]:
    """Published artifact -> its text."""
    folder = results / "study/alone"
    found = (path.name.removesuffix(MANIFEST) for path in folder.glob(f"*{MANIFEST}"))
    return {name: Artifact(folder / f"{name}{MANIFEST}").path(".txt").read_text() for name in found}


def test_command_lines_of_other_parts_start_after_the_current_part() -> None:
    words = ["--artifact", "r/s/a/03.manifest.json", "--settings", "{}", "--unit", "part=03", "--in-turn"]
    words += ["part=01..04,07", "--input", "part=r/s/parts/03.manifest.json", "--input", "model=r/m.manifest.json"]
    others = in_turn(arguments("a", words))
    assert [Path(one.artifact).name for one in others] == ["04", "07", "01", "02"]
    assert others[1].input == {"part": ["r/s/parts/07.manifest.json"], "model": ["r/m.manifest.json"]}
    assert others[1].unit == {"part": "07"} and not others[1].in_turn and not others[1].also
    assert in_turn(arguments("a", [*words[:7], "part="])) == []


def test_grouping_changes_no_byte_and_each_process_loads_once(results: Path, given: Given) -> None:
    for part in ("01", "02", "03"):
        given(part)
    expected = {part: made(results, part).hash for part in ("01", "02", "03")}
    assert CALLS == ["load", "01", "load", "02", "load", "03"]
    os.rename(results / "study/alone", results / "old-alone")
    os.rename(results / ".cache", results / "old-cache")
    CALLS.clear()
    made(results, "02", "01..05")  # 04 and 05 have no input yet
    assert CALLS == ["load", "02", "03", "01"]
    assert {part: Artifact(results / f"study/alone/{part}{MANIFEST}").hash for part in expected} == expected
    assert texts(results) == {part: f"{part}!" for part in expected}
    assert not list((results / WORK).glob("*/*")) and not list((results / ".cache").glob(f"{STAGING}/*"))
    made(results, "01", "01..05")
    assert CALLS == ["load", "02", "03", "01"], "existing artifacts are kept"


def test_inputs_that_appear_during_the_run_are_used(results: Path, given: Given) -> None:
    given("02")

    def slow(job: Job[Doubling]) -> None:
        alone(job)
        if job.unit["part"] == "02":
            given("01")
        if job.unit["part"] == "01":
            given("03")

    made(results, "02", "01..04", replace(STAGE, run=slow))
    assert CALLS == ["load", "02", "01", "03"]


@pytest.mark.parametrize("error", [PipelineError("a fault", "here", 7, "repair it"), OSError(5, "I/O error")])
def test_a_failing_part_is_left_to_its_own_job(results: Path, given: Given, error: Exception) -> None:
    for part in ("01", "02", "03"):
        given(part)

    def faulty(job: Job[Doubling]) -> None:
        alone(job)
        if job.unit["part"] == "02":
            raise error

    made(results, "01", "01..03", replace(STAGE, run=faulty))
    assert CALLS == ["load", "01", "02", "03"] and set(texts(results)) == {"01", "03"}
    with pytest.raises(SystemExit):
        made(results, "02", "01..03", replace(STAGE, run=faulty))


def test_an_unexpected_error_ends_the_turns_but_not_the_job(results: Path, given: Given) -> None:
    for part in ("01", "02", "03"):
        given(part)

    def broken(job: Job[Doubling]) -> None:
        alone(job)
        if job.unit["part"] == "02":
            raise RuntimeError("the device is gone")

    made(results, "01", "01..03", replace(STAGE, run=broken))
    assert CALLS == ["load", "01", "02"] and set(texts(results)) == {"01"}


def test_a_part_in_progress_elsewhere_is_skipped(results: Path, given: Given) -> None:
    for part in ("01", "02"):
        given(part)
    works: dict[str, str] = {}

    def listening(job: Job[Doubling]) -> None:
        works[job.unit["part"]] = job.work.name
        alone(job)

    stage = replace(STAGE, run=listening)
    made(results, "02", "", stage)
    os.rename(results / ".cache", results / "old-cache")
    (results / f"study/alone/02{MANIFEST}").unlink()
    with key_lock(work_folder(results, "listening", works["02"])):
        made(results, "01", "01..02", stage)
    assert set(texts(results)) == {"01"}


def test_a_replaced_model_is_not_used_for_further_parts(results: Path, given: Given) -> None:
    for part in ("01", "02"):
        given(part)

    def replacing(job: Job[Doubling]) -> None:
        alone(job)
        check_unchanged()

    def after(job: Job[Doubling]) -> None:
        replacing(job)
        make_artifact(results, "source", "model", {".txt": b"?"})

    made(results, "01", "01..02", replace(STAGE, run=after))
    assert CALLS == ["load", "01"]
    assert made(results, "02").path(".txt").read_text() == "02?"


def test_the_input_of_a_finished_part_may_change(results: Path, given: Given) -> None:
    for part in ("01", "02"):
        given(part)

    def changing(job: Job[Doubling]) -> None:
        alone(job)
        if job.unit["part"] == "03":
            path = job.inputs("part")[0].location(".txt").with_name("02.txt")
            path.chmod(0o644)
            path.write_text("changed")
        check_unchanged()

    given("03")
    made(results, "01", "01..03", replace(STAGE, run=changing))
    assert set(texts(results)) == {"01", "02", "03"}
