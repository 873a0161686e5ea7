"""SIGKILL at random moments: the same command, started again, ends with the same bytes as an undisturbed run."""

import os
import random
import signal
import time

import pytest

from tests.workflow.checkout import Checkout

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("workflow")]
KILLS = 5


def test_five_kills_change_no_byte(fresh: Checkout, finished: Checkout) -> None:
    chance = random.Random(20_250)
    for number in range(KILLS):
        process = fresh.start()
        time.sleep(chance.uniform(4, 16))
        if process.poll() is not None:
            continue
        if number % 2:
            os.kill(process.pid, signal.SIGKILL)  # Snakemake alone; its jobs go on
        else:
            os.killpg(process.pid, signal.SIGKILL)  # with its jobs
        process.wait()
    status, printed = fresh.run()
    assert status == 0, printed[-4000:]
    assert fresh.hashes() == finished.hashes()
