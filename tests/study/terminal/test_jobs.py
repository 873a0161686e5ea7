"""Live figures are read from a work folder, whatever state its files are in."""

import json
from pathlib import Path

import pytest

from workflow_scripts.core.runtime.progress import PROGRESS, Progress
from workflow_scripts.pretraining.monitor.live_curve import CURVE_LINES
from workflow_scripts.study.terminal.jobs import Figures, read_figures


def test_figures_of_a_training_are_the_latest_of_each_column(tmp_path: Path) -> None:
    rows = [{"step": 0, "loss": None, "knn_accuracy": 0.25}, {"step": 5, "loss": 1.5, "knn_accuracy": None}]
    (tmp_path / CURVE_LINES).write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    (tmp_path / PROGRESS).write_text('{"what": "x", "done": 5, "total": 9, "per_second": 1.0, "note": ""}')
    assert read_figures(tmp_path) == Figures(Progress("x", 5, 9, 1.0), {"step": 5, "loss": 1.5, "knn_accuracy": 0.25})
    with (tmp_path / CURVE_LINES).open("a") as file:
        file.write('{"step": 6, "loss": NaN, "knn_accuracy": Infinity}\n{"step": 7')
    assert read_figures(tmp_path).curve == {"step": 6, "loss": None, "knn_accuracy": None}


@pytest.mark.parametrize("damage", [b"[" * 100_000, b"\xff\n", b"{}\n5\n", b"\n\n", b'{"done": 1}\n'])
def test_damaged_or_missing_files_give_empty_figures(tmp_path: Path, damage: bytes) -> None:
    assert read_figures(tmp_path / "none") == Figures()
    for name in (PROGRESS, CURVE_LINES):
        (tmp_path / name).write_bytes(damage)
    assert read_figures(tmp_path) == Figures()
