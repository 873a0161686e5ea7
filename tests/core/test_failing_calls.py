"""One in so many failing calls; `python -m tests.replay.failing` tries all."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
def test_after_a_call_that_failed_nothing_wrong_is_accepted_and_nothing_done_is_lost() -> None:
    words = [sys.executable, "-m", "tests.replay.failing", "--every", "120"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert all(f"{kind}: {{'tried'" in done.stdout for kind in ("fsync", "rename", "open", "write")), done.stdout
