"""SIGKILL at random moments: the same command, started again, ends with the same root hash as an undisturbed run."""

import random

import pytest

from tests.forkserver.environment import ForkServers
from tests.workflow.checkout import NANO, Checkout
from tests.workflow.kills import audited_root, disturb

pytestmark = pytest.mark.slow
KILLS = 6  # of either kind with and without the memory


def test_kills_change_no_byte(cold: Checkout, servers: ForkServers, finished_nano: Checkout) -> None:
    cold.study, cold.snakemake = "nano", servers.jobs_only
    undisturbed = finished_nano.hashes(), audited_root(finished_nano)
    chance, kills = random.Random(20_250), 0
    while kills < KILLS:
        kills += disturb(cold, NANO, chance, KILLS - kills, pause=6)
        cold.finish(*NANO)
        assert (cold.hashes(), audited_root(cold)) == undisturbed
        cold.clear()
