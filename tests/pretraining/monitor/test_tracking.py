"""Rows of the curve in a tracker: one run over all attempts, and no harm if the tracker fails."""

import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import pytest
from accelerate import Accelerator

from tests.pretraining.shapes import SMALL
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.pretraining.monitor import tracking
from workflow_scripts.pretraining.monitor.tracking import Tracking, _options, missing_tracker
from workflow_scripts.pretraining.settings import Pretrain, Tracker

ROWS = [{"step": 0, "loss": None, "lr": 0.0}, {"step": 5, "loss": 2.5, "lr": 0.1}, {"step": 10, "loss": 2.0, "lr": 0.2}]


class Notebook:
    """The trackers of an accelerator, as one that keeps what it is told."""

    def __init__(self) -> None:
        self.runs: list[tuple[str, dict[str, Any]]] = []
        self.rows: list[tuple[int | None, dict[str, float]]] = []
        self.closed, self.full, self.is_main_process = 0, False, True
        self.trackers: list[Notebook] = []

    def init_trackers(self, project: str, init_kwargs: dict[str, Any]) -> None:
        self.runs.append((project, init_kwargs["wandb"]))
        self.trackers.append(self)

    def log(self, values: dict[str, float], step: int | None = None) -> None:
        if self.full:
            raise OSError("disk full")
        self.rows.append((step, values))

    def finish(self) -> None:
        self.closed += 1
        self.trackers.clear()


def planned(results: Path, key: str = "0123456789abcdef", tracker: str | None = "wandb") -> Any:
    settings = Pretrain.model_validate({**SMALL, "tracker": tracker, "stage_in": {"folder": "/private/disk"}})
    return SimpleNamespace(settings=settings, work=results / ".work/pretrain" / key, study="study", run="run")


def test_attempts_continue_one_tracked_run(tmp_path: Path) -> None:
    notebook, plan = Notebook(), planned(tmp_path)
    for rows in (ROWS[:2], ROWS[1:]):  # killed after step 5, and started again from a checkpoint before
        run = Tracking(notebook, plan)
        for row in rows:
            run.write(row)
        run.close()
    assert [step for step, _ in notebook.rows] == [0, 5, 5, 10] and notebook.rows[1] == (5, {"loss": 2.5, "lr": 0.1})
    assert {(project, run["id"], run["dir"]) for project, run in notebook.runs} == {
        ("study", "run-0123456789ab", str(tmp_path / ".trackers/wandb"))
    }
    assert notebook.closed == 2


def test_another_key_starts_another_tracked_run(tmp_path: Path) -> None:
    notebook = Notebook()
    for key in ("a" * 64, "b" * 64):
        run = Tracking(notebook, planned(tmp_path, key))
        run.write(ROWS[0])
        run.close()
    assert [run["id"] for _, run in notebook.runs] == ["run-aaaaaaaaaaaa", "run-bbbbbbbbbbbb"]
    assert len(notebook.rows) == 2


def test_settings_are_told_but_no_paths_of_this_machine(tmp_path: Path) -> None:
    told = _options(planned(tmp_path), "run-0", tmp_path)["config"]
    assert told["simclr"]["projector"] == [16, 8]
    assert "/private" not in str(told) and str(tmp_path) not in str(told)


def test_a_tracker_that_fails_is_left_out_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    notebook = Notebook()
    run = Tracking(notebook, planned(tmp_path))
    run.write(ROWS[0])
    notebook.full = True
    run.write(ROWS[1])
    run.write(ROWS[2])
    run.close()
    assert notebook.rows == [(0, {"lr": 0.0})]
    assert [record.getMessage() for record in caplog.records] == [
        "the tracker failed and is left out; the curve is complete: OSError: disk full"
    ]


def test_without_a_tracker_nothing_is_written(tmp_path: Path) -> None:
    run = Tracking(Accelerator(cpu=True), planned(tmp_path, tracker=None))
    run.write(ROWS[0])
    run.close()
    assert not list(tmp_path.iterdir())


def test_the_error_for_a_missing_package_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert missing_tracker("json") is None
    monkeypatch.setattr(tracking, "find_spec", lambda name: None)
    error = missing_tracker("wandb")
    assert isinstance(error, PipelineError)
    assert "no module wandb; install it with: pip install 'faithful-pairs[wandb]'" in str(error)


def test_the_extras_of_the_package_are_the_trackers() -> None:
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]
    for name in get_args(Tracker):
        assert any(line.startswith(name) for line in project["optional-dependencies"][name])
