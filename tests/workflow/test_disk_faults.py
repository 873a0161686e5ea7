"""Full and failing disks: one line that says what to do, and the same bytes once the disk is well."""

import os
import shutil
from pathlib import Path

import pytest

from tests.forkserver.environment import ForkServers
from tests.workflow.checkout import NANO, Checkout, give_to_user
from tests.workflow.faulty_disk import FaultyCheckout, compiled, disturb, starts_again
from tests.workflow.full_disk import fill, sizes_between

pytestmark = pytest.mark.slow
READ_BY_THE_REPORT = "image_index/images.manifest.json"  # and by others


@pytest.fixture
def faulty(open_folder: Path, servers: ForkServers) -> FaultyCheckout:
    """A checkout without results, on a disk that can be made faulty."""
    if shutil.which("cc") is None:
        pytest.skip("no C compiler")
    checkout = FaultyCheckout(open_folder / "faulty")
    checkout.study, checkout.snakemake = "nano", servers.snakemake
    checkout.library = compiled(open_folder)
    give_to_user(open_folder)
    return checkout


def test_a_disk_that_is_too_small_and_calls_that_fail_change_no_byte(
    faulty: FaultyCheckout, finished_nano: Checkout
) -> None:
    hashes = finished_nano.hashes()
    faulty.reads_one_in, faulty.once = 300, READ_BY_THE_REPORT
    said = disturb(faulty, NANO, failures=12, one_in=120)
    assert len(said) >= 6
    faulty.reads_one_in = 0  # which leaves the fault of that one file
    status, printed = faulty.run(*NANO)
    assert status == 0, printed[-4000:]
    assert starts_again(faulty) > 0
    assert faulty.hashes() == hashes
    if os.getuid() == 0:  # mounts
        faulty.clear()
        try:
            said, on_small_disk = fill(faulty, NANO, sizes_between(300, 64_000, 6))
        except PermissionError as error:
            pytest.skip(str(error))
        assert len(said) >= 2
        assert on_small_disk == hashes
