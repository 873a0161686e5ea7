"""Full and failing disks: one line that says what to do, and the same bytes once the disk is well."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.forkserver.environment import fork_servers
from tests.workflow.checkout import NANO, Checkout, give_to_user
from tests.workflow.faulty_disk import FaultyCheckout, compiled, disturb, starts_again
from tests.workflow.full_disk import KB, fill, small_disk

pytestmark = pytest.mark.slow
ROOMS = [300 * KB, 2_500 * KB, 7_500 * KB, 64_000 * KB]  # too little for the first job, a download, a training; enough
READ_BY_THE_REPORT = "image_index/images.manifest.json"  # and by others


@pytest.fixture
def faulty(open_folder: Path) -> Iterator[FaultyCheckout]:
    """A checkout without results, on a disk that can be made faulty."""
    if shutil.which("cc") is None:
        pytest.skip("no C compiler")
    checkout = FaultyCheckout(open_folder / "faulty")
    checkout.study, checkout.library = "nano", compiled(open_folder)
    with fork_servers(preload=checkout.library) as servers:
        checkout.snakemake = servers.snakemake
        give_to_user(open_folder)
        yield checkout


def test_full_disks_and_failing_system_calls_change_no_byte(faulty: FaultyCheckout, finished_nano: Checkout) -> None:
    """In turns there is little room and calls fail. One file can't be read until its job starts again."""
    faulty.once, rooms = READ_BY_THE_REPORT, ROOMS

    def fail() -> None:
        faulty.reads_one_in = 300
        disturb(faulty, NANO, failures=1, one_in=120)
        faulty.reads_one_in = 0

    with ExitStack() as disk:
        try:
            disk.enter_context(small_disk(faulty.folder / "results", rooms[0]))
        except PermissionError:  # nothing can be mounted here
            fail()
            assert faulty.run(*NANO)[0] == 0
        else:
            assert fill(faulty, NANO, rooms, fail)
        assert starts_again(faulty) > 0
        assert faulty.hashes() == finished_nano.hashes()
