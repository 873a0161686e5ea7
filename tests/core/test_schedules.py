"""A few schedules; `python -m tests.core.schedules` tries a hundred."""

import os
from unittest import mock

import pytest

from tests.core.other_users import ALICE, shared_results
from tests.core.schedules import World, run, schedule, take_out
from workflow_scripts.removal import removal

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="two users need root")


@pytest.mark.parametrize("seed", range(3))
def test_commands_of_two_users_at_once_lose_nothing_and_change_no_byte(seed: int) -> None:
    assert schedule(seed)["run"] > 0


def test_a_removal_that_forgets_the_cache_is_noticed() -> None:
    with shared_results() as results:
        world = World(results)
        world.start("run", ALICE, run(world, ALICE))
        world.wait()
        with mock.patch.object(removal, "_discard", lambda *_: 0), pytest.raises(AssertionError, match="and still in"):
            take_out(world, ALICE, 0)
