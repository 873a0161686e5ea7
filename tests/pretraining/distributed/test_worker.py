"""Processes of several nodes start to train together."""

import threading
import time

import pytest
from torch.distributed import TCPStore  # type: ignore[attr-defined]

from workflow_scripts.pretraining.distributed import worker


def test_no_process_goes_on_before_all_have_their_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    store = TCPStore("localhost", 0, is_master=True, wait_for_workers=False)
    monkeypatch.setenv("MASTER_ADDR", "localhost")
    monkeypatch.setenv("MASTER_PORT", str(store.port))
    monkeypatch.setattr(worker, "SECONDS_BETWEEN_LOOKS", 0.01)
    first = threading.Thread(target=worker._wait_for_all, args=[2])
    first.start()
    time.sleep(0.1)
    assert first.is_alive()
    worker._wait_for_all(2)
    first.join(timeout=20)
    assert not first.is_alive()
