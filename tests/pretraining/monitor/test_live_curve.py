"""The curve of a run that trains."""

import json
from pathlib import Path

import pytest

from tests.pretraining.shapes import plan
from workflow_scripts.core.runtime.meter import fed
from workflow_scripts.core.runtime.progress import read_progress, reporting_to
from workflow_scripts.pretraining.monitor.live_curve import CURVE_LINES, LiveCurve, read_curve
from workflow_scripts.pretraining.schedule import Schedule
from workflow_scripts.pretraining.training import trainer
from workflow_scripts.pretraining.training.interrupt import Interrupt
from workflow_scripts.pretraining.training.plan import OUTCOME

ROW = {"step": 0, "loss": 1.0}
NINE = Schedule(9, 3, 0, {})


def test_speed_and_waiting_are_those_since_the_row_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("workflow_scripts.pretraining.monitor.live_curve.time.monotonic", lambda: now[0])
    curve = LiveCurve(tmp_path / CURVE_LINES, Schedule(10, 5, 0, {}), 32, 0)

    def batches():
        for number in range(4):
            now[0] += 1.0  # seconds of waiting
            yield number

    assert curve.measure(0) == {"images_per_s": None, "data_wait": None}
    for number in fed(batches(), lambda _: 32):
        now[0] += 3.0  # seconds of training
        if number % 2:
            measured = curve.measure(number + 1)
            now[0] += 100.0  # seconds of probing
            curve.write({**ROW, "step": number + 1}, measured)
            curve.restart(number + 1)
    assert read_curve(tmp_path / CURVE_LINES) == [
        {**ROW, "step": step, "steps": 10, "epoch": step / 5, "images_per_s": 8.0, "data_wait": 0.25} for step in (2, 4)
    ]


def test_resuming_keeps_the_lines_before_the_checkpoint(tmp_path: Path) -> None:
    path, none = tmp_path / CURVE_LINES, {"images_per_s": None, "data_wait": None}
    first = LiveCurve(path, NINE, 1, 0)
    for step in (0, 3, 6):
        first.write({**ROW, "step": step}, none)
    with path.open("a") as file:
        file.write('{"step": 9')  # killed while it wrote
    assert [row["step"] for row in read_curve(path)] == [0, 3, 6]
    LiveCurve(path, NINE, 1, 4).write({**ROW, "step": 6}, none)
    assert [row["step"] for row in read_curve(path)] == [0, 3, 6]
    LiveCurve(path, NINE, 1, 0)
    assert read_curve(path) == [] == read_curve(tmp_path / "none")
    LiveCurve(None, NINE, 1, 0).write(ROW, none)  # a process that writes nothing


def test_damaged_lines_are_left_out_and_a_training_resumes(tmp_path: Path) -> None:
    path = tmp_path / CURVE_LINES
    rows = [{"step": 0, "loss": 2.0}, {"step": 3, "loss": float("nan")}, {"step": 6, "loss": None}]
    damage = [
        '{"step": 9{"step": 12}',
        "",
        "5",
        "[1]",
        '{"loss": 1.0}',
        "[" * 100_000,
        '{"step": "3"}',
        '{"step": null}',
    ]
    lines = [*damage, *(json.dumps(row) for row in rows), f'{{"step": 3, "lr": {"9" * 400}}}']
    path.write_bytes(b"\xff\n" + "".join(f"{line}\n" for line in lines).encode())
    assert [row["step"] for row in read_curve(path)] == [None, None, 0, 3, 6, 3]
    assert read_curve(path)[-1] == {"step": 3, "lr": None}
    LiveCurve(path, NINE, 1, 4)
    assert [row["step"] for row in read_curve(path)] == [0, 3, 3]


def test_figures_that_can_not_be_written_do_not_end_a_training(tmp_path: Path) -> None:
    assert read_curve(tmp_path) == []  # a folder: reading and writing fail
    for step in (0, 4):
        LiveCurve(tmp_path, NINE, 1, step).write(ROW, {"images_per_s": None, "data_wait": None})


def test_a_training_writes_its_curve_and_its_progress(tmp_path: Path) -> None:
    probe = {"every": 2, "images": 20, "neighbours": 3}
    with reporting_to(tmp_path / "work"):
        trainer.train(plan(tmp_path, steps=4, log_every=1, probe=probe), Interrupt())
    rows = read_curve(tmp_path / "work" / CURVE_LINES)
    extra = ("steps", "epoch", "images_per_s", "data_wait")
    record = json.loads((tmp_path / "work" / OUTCOME).read_text())["curve"]
    assert [{k: v for k, v in row.items() if k not in extra} for row in rows] == record
    assert [row["step"] for row in rows] == [0, 1, 2, 3, 4] and {row["steps"] for row in rows} == {4}
    assert all(row["images_per_s"] > 0 and 0 <= row["data_wait"] <= 1 for row in rows[1:])
    progress = read_progress(tmp_path / "work")
    assert progress is not None and (progress.done, progress.total) == (4, 4)
