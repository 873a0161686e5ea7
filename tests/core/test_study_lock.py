import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from workflow_scripts.core import study_lock
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.study_lock import VARIABLE, hold_study, still_ours

SETTINGS = {"pairs": [{"k": 1}], "seed": 3}


@pytest.fixture(autouse=True)
def without_run(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(study_lock, "PATIENCE_S", 0.1)
    monkeypatch.delenv(VARIABLE, raising=False)
    yield
    os.environ.pop(VARIABLE, None)


def test_a_run_with_the_same_plan_waits_for_the_first(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    first = hold_study(tmp_path, "demo", "a", "code", SETTINGS)
    assert first is not None and os.environ[VARIABLE] == "a"
    with ThreadPoolExecutor() as pool:
        second = pool.submit(hold_study, tmp_path, "demo", "a", "code", SETTINGS)
        with pytest.raises(TimeoutError):
            second.result(timeout=0.5)
        first.close()
        held = second.result(timeout=60)
    assert held is not None
    held.close()
    assert f"process {os.getpid()}" in caplog.text and "with the same settings" in caplog.text


def test_a_run_with_another_plan_is_refused_with_the_holder_and_what_differs(tmp_path: Path) -> None:
    with hold_study(tmp_path, "demo", "a", "code", SETTINGS):
        with pytest.raises(
            PipelineError, match=r"study in use in .*demo: .* process \d+.*pairs\.0\.k 1, here 2"
        ) as told:
            hold_study(tmp_path, "demo", "b", "code", {"pairs": [{"k": 2}], "seed": 3})
        assert f"process {os.getpid()}" in str(told.value) and "another `study:`" in told.value.advice
        assert "seed" not in str(told.value)
        with pytest.raises(PipelineError, match="with other code"):
            hold_study(tmp_path, "demo", "a", "edited", SETTINGS)
        hold_study(tmp_path, "other", "b", "code", SETTINGS).close()
    hold_study(tmp_path, "demo", "b", "code", SETTINGS).close()


def test_a_run_that_was_killed_holds_nothing(tmp_path: Path) -> None:
    def run() -> None:
        hold_study(tmp_path, "demo", "a", "code", SETTINGS)
        os._exit(9)

    process = multiprocessing.get_context("fork").Process(target=run)
    process.start()
    process.join()
    hold_study(tmp_path, "demo", "b", "code", SETTINGS).close()


def test_a_file_that_was_cut_off_is_replaced(tmp_path: Path) -> None:
    hold_study(tmp_path, "demo", "a", "code", SETTINGS).close()
    path = tmp_path / study_lock.RUNS / "demo.json"
    path.write_bytes(path.read_bytes()[:10])
    hold_study(tmp_path, "demo", "a", "code", SETTINGS).close()


def test_a_job_of_an_ended_run_does_not_publish_into_a_study_that_another_run_has_taken_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold_study(tmp_path, "demo", "a", "code", SETTINGS).close()
    monkeypatch.setenv(VARIABLE, "a")
    # A run that starts while a job publishes would change what the job is about to replace.
    with still_ours(tmp_path, "demo"), pytest.raises(PipelineError, match="study in use"):
        hold_study(tmp_path, "demo", "b", "code", SETTINGS)
    hold_study(tmp_path, "demo", "b", "code", SETTINGS).close()
    monkeypatch.setenv(VARIABLE, "a")
    with pytest.raises(PipelineError, match="study taken over"), still_ours(tmp_path, "demo"):
        raise AssertionError("published")
    monkeypatch.delenv(VARIABLE)
    with still_ours(tmp_path, "demo"):
        pass  # a stage that was started by hand


def test_without_locks_every_run_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study_lock, "_lock", lambda stream, kind: None)
    assert hold_study(tmp_path, "demo", "a", "code", SETTINGS) is None and VARIABLE not in os.environ
