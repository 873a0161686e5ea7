"""Lines and files that say how far a job is."""

import json
from pathlib import Path

import pytest

from workflow_scripts.core.runtime import progress as progress_module
from workflow_scripts.core.runtime.progress import Progress, Ticker, read_progress, reporting_to


def test_progress_yields_everything_and_ends_with_a_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    assert list(progress_module.progress(iter("abc"), 3, "letters")) == list("abc")
    assert caplog.messages[-1].startswith("letters: 3/3, ")
    assert str(Progress("x", 5, 10, 1.0)) == "x: 5/10, 1.0/s, 5 s left"
    assert str(Progress("x", 5, None, 1.0, "80% ok")) == "x: 5, 1.0/s, 80% ok"


def test_progress_logs_a_line_per_minute_with_the_time_left(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level("INFO")
    now = [50.0]
    monkeypatch.setattr("workflow_scripts.core.runtime.progress.time.monotonic", lambda: now[0])
    with progress_module.Ticker("images", 1000, lambda: "81% ok") as ticker:
        for _ in range(100):
            now[0] += 1.0
            ticker.tick()
        now[0] += 100.0
        ticker.pulse()  # nothing ends, but there is a line
    assert caplog.messages == [
        "images: 60/1000, 1.0/s, 16 min left, 81% ok",
        "images: 100/1000, 0.5/s, 30 min left, 81% ok",
        "images: 100/1000, 0.5/s, 30 min left, 81% ok",
    ]
    seconds = {0: "0 s", 2.13: "2.1 s", 5: "5 s", 9.97: "10 s", 119: "119 s", 600: "10 min", 12_600: "3.5 h"}
    assert {one: progress_module.span(one) for one in seconds} == seconds


def test_failed_work_is_not_logged_as_done(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    with pytest.raises(ValueError, match="x"), progress_module.Ticker("images", 2):
        raise ValueError("x")
    assert caplog.messages == []


def test_progress_can_be_read_from_the_work_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [50.0]
    monkeypatch.setattr("workflow_scripts.core.runtime.progress.time.monotonic", lambda: now[0])
    assert read_progress(tmp_path) is None
    with reporting_to(tmp_path), Ticker("steps", 100, lambda: "fine", done=40) as ticker:
        assert read_progress(tmp_path) == Progress("steps", 40, 100, 0.0, "fine")
        for seconds in (0.5, 0.4, 1.1):  # the file is written once a second
            now[0] += seconds
            ticker.tick()
        assert read_progress(tmp_path) == Progress("steps", 43, 100, 1.5, "fine")
        ticker.tick()
    assert read_progress(tmp_path) == Progress("steps", 44, 100, 2.0, "fine")
    assert Progress("steps", 44, 100, 2.0).seconds_left == 28.0
    assert Progress("steps", 100, 100, 2.0).seconds_left is None
    with Ticker("unseen", 1):
        pass
    assert read_progress(tmp_path) == Progress("steps", 44, 100, 2.0, "fine")


@pytest.mark.parametrize(
    "field", [{"what": 1}, {"done": "1"}, {"total": []}, {"per_second": None}, {"note": 0}, {"done": 10**400}, {"x": 1}]
)
def test_a_damaged_progress_file_reads_as_none(tmp_path: Path, field: dict[str, object]) -> None:
    made = {"what": "steps", "done": 4, "total": None, "per_second": 2.0, "note": ""}
    (tmp_path / progress_module.PROGRESS).write_text(json.dumps(made))
    assert read_progress(tmp_path) == Progress("steps", 4, None, 2.0)
    (tmp_path / progress_module.PROGRESS).write_text(json.dumps(made | field))
    assert read_progress(tmp_path) is None


def test_a_folder_that_can_not_be_written_stops_no_job(tmp_path: Path) -> None:
    with reporting_to(tmp_path / "missing"), Ticker("steps", 1) as ticker:
        ticker.tick()
    assert read_progress(tmp_path / "missing") is None
