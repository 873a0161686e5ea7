"""SIGKILL at random moments: the same command, started again, ends with the same root hash as an undisturbed run."""

import random

import pytest

from tests.workflow.checkout import Checkout
from tests.workflow.kills import audited_root, disturb

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("fresh")]
NANO = ("--profile", "profiles/demo", "--configfile", "tests/config/nano.yaml")
KILLS = 10


def test_ten_kills_change_no_byte(fresh: Checkout) -> None:
    fresh.study = "nano"
    chance, kills, undisturbed = random.Random(20_250), 0, None
    while undisturbed is None or kills < KILLS:
        kills += disturb(fresh, NANO, chance, KILLS - kills, pause=9) if undisturbed else 0
        status, printed = fresh.run(*NANO)
        assert status == 0, printed[-4000:]
        outcome = fresh.hashes(), audited_root(fresh)
        undisturbed = undisturbed or outcome
        assert outcome == undisturbed
        fresh.clear()
