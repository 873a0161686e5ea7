"""SIGKILL at random moments: the same command, started again, ends with the same root hash as an undisturbed run."""

import random

import pytest

from tests.workflow.checkout import NANO, Checkout
from tests.workflow.kills import audited_root, disturb

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("fresh")]
KILLS = 10


def test_ten_kills_change_no_byte(fresh: Checkout, finished_nano: Checkout) -> None:
    fresh.study = "nano"
    undisturbed = finished_nano.hashes(), audited_root(finished_nano)
    chance, kills = random.Random(20_250), 0
    while kills < KILLS:
        kills += disturb(fresh, NANO, chance, KILLS - kills, pause=9)
        status, printed = fresh.run(*NANO)
        assert status == 0, printed[-4000:]
        assert (fresh.hashes(), audited_root(fresh)) == undisturbed
        fresh.clear()
