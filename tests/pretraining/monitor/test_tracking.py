"""Rows of the curve in a tracker: each step once over all attempts, and no harm if the tracker fails."""

import json
from pathlib import Path

import pytest

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.pretraining.monitor import tracking
from workflow_scripts.pretraining.monitor.tracker import TrackedRun, Tracker
from workflow_scripts.pretraining.monitor.tracking import REQUEST, TRACKERS, Tracking, request

ROWS = [{"step": 0, "loss": None, "lr": 0.0}, {"step": 5, "loss": 2.5, "lr": 0.1}, {"step": 10, "loss": 2.0, "lr": 0.2}]


class Notebook:
    """A tracker that keeps what it is told."""

    def __init__(self) -> None:
        self.runs: list[TrackedRun] = []
        self.rows: list[tuple[int, dict[str, float]]] = []
        self.closed, self.full = 0, False

    def open(self, run: TrackedRun) -> "Notebook":
        self.runs.append(run)
        return self

    def write(self, step: int, values: dict[str, float]) -> None:
        if self.full:
            raise OSError("disk full")
        self.rows.append((step, values))

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> Notebook:
    made = Notebook()
    tracker = Tracker(name="notebook", summary="", package="json", open=made.open)
    monkeypatch.setitem(TRACKERS, "notebook", tracker)
    return made


def asked(tmp_path: Path, key: str = "0123456789abcdef") -> Path:
    work = tmp_path / "results/.work/pretrain" / key
    request("notebook", work, tmp_path / "results", "study", "run", {"lr": 0.1})
    return work


def test_each_attempt_continues_where_the_last_one_ended(notebook: Notebook, tmp_path: Path) -> None:
    work = asked(tmp_path)
    first = Tracking(work)
    for row in ROWS[:2]:
        first.write(row)
    # Killed here. The next attempt starts from a checkpoint before step 5, or from one after step 10.
    for resumed, ahead in ((ROWS[:1], ROWS[1:2]), (ROWS, [])):
        again = Tracking(work, resumed)
        for row in ahead:
            again.write(row)
        again.close()
    assert notebook.rows == [(0, {"lr": 0.0}), (5, {"loss": 2.5, "lr": 0.1}), (10, {"loss": 2.0, "lr": 0.2})]
    assert {run.id for run in notebook.runs} == {"run-0123456789ab"}
    assert notebook.runs[0].folder == tmp_path / "results/.trackers/notebook"
    assert notebook.runs[0].settings == {"lr": 0.1}
    assert notebook.closed == 2


def test_another_key_is_another_run(notebook: Notebook, tmp_path: Path) -> None:
    for key in ("a" * 64, "b" * 64):
        Tracking(asked(tmp_path, key)).write(ROWS[0])
    assert [run.id for run in notebook.runs] == ["run-aaaaaaaaaaaa", "run-bbbbbbbbbbbb"]
    assert len(notebook.rows) == 2


def test_a_tracker_that_fails_is_left_out_with_a_warning(
    notebook: Notebook, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tracked = Tracking(asked(tmp_path), ROWS[:1])
    notebook.full = True
    tracked.write(ROWS[1])
    tracked.write(ROWS[2])
    tracked.close()
    assert notebook.rows == [(0, {"lr": 0.0})]
    assert [record.getMessage() for record in caplog.records] == [
        "the tracker failed and is left out; the curve is complete: OSError: disk full"
    ]


def test_without_a_request_nothing_is_written(tmp_path: Path) -> None:
    for work in (None, tmp_path):
        tracked = Tracking(work, ROWS)
        tracked.write(ROWS[0])
        tracked.close()
    assert not list(tmp_path.iterdir())


def test_a_missing_package_is_an_error_before_the_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "find_spec", lambda name: None)
    said = r"no module wandb; install it with: pip install 'faithful-pairs\[wandb\]'"
    with pytest.raises(PipelineError, match=said):
        request("wandb", tmp_path / "work", tmp_path, "study", "run", {})
    assert not (tmp_path / "work" / REQUEST).exists()


def test_the_extras_of_the_package_are_the_trackers() -> None:
    import tomllib

    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]
    for name, tracker in TRACKERS.items():
        assert any(line.startswith(tracker.package) for line in project["optional-dependencies"][name])
    assert json.dumps(list(TRACKERS)) == '["tensorboard", "trackio", "wandb"]'
