"""Processes of several nodes start to train together, and their errors reach the process that started them."""

import errno
import json
import os
import threading
import time
from pathlib import Path

import pytest
from torch.distributed import TCPStore  # type: ignore[attr-defined]

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.patience import PASSING
from workflow_scripts.core.files.storage_errors import number_among
from workflow_scripts.pretraining.training import plan, worker
from workflow_scripts.pretraining.training.meeting import meet


def test_processes_wait_until_all_have_come_as_often(monkeypatch: pytest.MonkeyPatch) -> None:
    store = TCPStore("localhost", 0, is_master=True, wait_for_workers=False)
    monkeypatch.setenv("MASTER_ADDR", "localhost")
    monkeypatch.setenv("MASTER_PORT", str(store.port))
    for _ in range(2):
        first = threading.Thread(target=meet, args=[2])
        first.start()
        time.sleep(0.1)
        assert first.is_alive()
        meet(2)
        first.join(timeout=20)
        assert not first.is_alive()


@pytest.mark.parametrize(
    ("error", "where", "passing"),
    [
        (OSError(errno.ESTALE, os.strerror(errno.ESTALE), "a.tar"), "a.tar", errno.ESTALE),
        (PipelineError("damaged image", "b.tar", "row 3", "recompute it"), "b.tar", None),
    ],
)
def test_an_error_of_a_worker_keeps_its_file_and_errno(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, where: str, passing: int | None
) -> None:
    def read(_: Path) -> None:
        raise error

    monkeypatch.setenv("RANK", "1")
    monkeypatch.setattr(plan, "read_plan", read)
    assert worker.main(str(tmp_path / "plan.npz")) == 1
    fields, _ = json.loads(worker.error_file(tmp_path, 1).read_text())
    assert fields[1] == where
    with pytest.raises(PipelineError, match=f"in {where}: ") as caught:
        worker.raise_error(tmp_path, range(2))
    assert number_among(caught.value, PASSING) == passing
