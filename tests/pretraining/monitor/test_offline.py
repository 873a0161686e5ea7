"""The real trackers, without a network: a killed and resumed run is one run with each step."""

import subprocess
import sys
from pathlib import Path

import pytest

ATTEMPT = """
import sys
from pathlib import Path
from types import SimpleNamespace
from accelerate import Accelerator
from workflow_scripts.pretraining.monitor.tracking import Tracking, tracker_folder
from workflow_scripts.pretraining.settings import Pretrain
tracker, results, first, last = sys.argv[1], Path(sys.argv[2]), *map(int, sys.argv[3:])
settings = Pretrain(method="simclr", pairs="self", augmentation="crop", backbone="resnet_small", tracker=tracker)
plan = SimpleNamespace(settings=settings, work=results / ".work/pretrain" / ("k" * 64), study="study", run="run")
tracked = Tracking(Accelerator(cpu=True, log_with=tracker, project_dir=tracker_folder(plan)), plan)
for step in range(first, last + 1):
    tracked.write({"step": step, "loss": 3.0 - step / 10, "knn_accuracy": None})
tracked.close()
"""


def attempts(tracker: str, results: Path) -> Path:
    """Steps 0 to 3, then again from 2 to 5; gives the tracker's folder."""
    pytest.importorskip(tracker)
    root = Path(__file__).parents[3]
    nowhere = {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
    kept = {"PATH": "/usr/bin:/bin", "HOME": str(results), "PYTHONPATH": ":".join([str(root), *sys.path])}
    for first, last in ((0, 3), (2, 5)):
        command = [sys.executable, "-c", ATTEMPT, tracker, str(results), str(first), str(last)]
        done = subprocess.run(command, cwd=results, env=kept | nowhere, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert "tracker failed" not in done.stderr
    return results / ".trackers" / tracker


EXPECTED = {step: pytest.approx(3.0 - step / 10) for step in range(6)}


def test_tensorboard_shows_each_step_once(tmp_path: Path) -> None:
    folder = attempts("tensorboard", tmp_path) / f"study/run-{'k' * 12}"
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder))
    events.Reload()
    assert events.Tags()["scalars"] == ["loss"]
    assert [event.step for event in events.Scalars("loss")] == list(range(6))
    assert {event.step: event.value for event in events.Scalars("loss")} == EXPECTED


def test_wandb_writes_offline_runs_with_the_same_id(tmp_path: Path) -> None:
    folder = attempts("wandb", tmp_path)
    runs = sorted(folder.glob("wandb/offline-run-*"))
    assert len(runs) == 2
    assert all(run.name.endswith(f"run-{'k' * 12}") for run in runs)
    found = [item for run in runs for item in history(next(run.glob("*.wandb")).read_bytes())]
    assert [step for step, _ in found] == [0, 1, 2, 3, 2, 3, 4, 5]
    assert dict(found) == EXPECTED


def history(log: bytes) -> list[tuple[int, float]]:
    """(step, loss) of the history in a file of W&B: a head of 7 bytes, then records (LevelDB's log format)."""
    from wandb.proto.wandb_internal_pb2 import Record

    found, at = [], 7
    while at < len(log):
        length, kind = int.from_bytes(log[at + 4 : at + 6], "little"), log[at + 6]
        assert kind == 1  # a whole record; longer ones come in parts
        record = Record.FromString(log[at + 7 : at + 7 + length])
        at += 7 + length
        if record.HasField("history"):
            values = {item.key or item.nested_key[0]: item.value_json for item in record.history.item}
            found.append((int(values["_step"]), float(values["loss"])))
    return found
