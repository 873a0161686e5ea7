"""Several people share a results folder: two users of one group compute, resume, repair and wait for each other."""

import logging
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.core.other_users import ALICE, BOB, GROUP, as_user, compute, notes, shared_results
from tests.core.stressed_stage import content
from workflow_scripts.core.artifact import Artifact
from workflow_scripts.core.cache import key_lock

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="only root can start processes of other users")


@pytest.fixture
def results() -> Iterator[Path]:
    """A results folder that its group shares."""
    with shared_results() as folder:
        yield folder


def test_users_of_a_group_share_artifacts_and_partial_work(results: Path) -> None:
    assert compute(results, ALICE, 1) == 0
    assert compute(results, BOB, 1) == 0  # replaces her files in the same study
    assert compute(results, BOB, 1, "another") == 0
    assert (notes(results, ALICE), notes(results, BOB)) == (["computed 1"], [])
    # Alice's run was killed: Bob goes on with her pieces.
    assert compute(results, ALICE, 2, pieces=4) == 9
    made = {path.name: path.stat().st_uid for path in results.glob(".work/stressed/*/piece*")}
    assert len(made) == 5 and set(made.values()) == {ALICE}
    assert compute(results, BOB, 2) == 0
    assert notes(results, BOB) == ["computed 2"]
    # Bob's cache entry is damaged: Alice replaces it.
    [kept] = [path for path in results.glob(".cache/stressed/*/files/_.bin") if path.stat().st_uid == BOB]
    kept.chmod(0o644)
    kept.write_bytes(b"damaged")
    kept.chmod(0o444)
    assert compute(results, ALICE, 2) == 0
    assert notes(results, ALICE)[1:] == ["computed 2"]
    assert Artifact(results / "study/stressed/2.manifest.json").path(".bin").read_bytes() == content(2)
    for path in results.rglob("*"):
        status = path.stat()
        assert status.st_gid == GROUP, path
        if path.is_dir():
            assert status.st_mode & 0o7777 == 0o2775, path
    assert not list(results.glob(".work/stressed/*"))


def test_permission_errors_name_the_owner_of_the_folder(results: Path) -> None:
    os.chown(results, ALICE, GROUP)
    results.chmod(0o755)
    assert compute(results, ALICE, 1) == 0
    assert stat.S_IMODE((results / "study").stat().st_mode) == 0o755
    assert compute(results, BOB, 2) == 1
    last = (results.parent / str(BOB) / "printed.txt").read_text().splitlines()[-1]
    assert last.startswith("error: storage error of stressed in "), last
    where = f"{re.escape(str(results))}/\\S*"
    owner = f"user {ALICE}:group {ALICE}, drwxr-xr-x; give this user permission"
    assert re.search(f"Permission denied for user {BOB}; {where} belongs to {owner}", last), last


def test_a_waiting_process_is_told_who_holds_the_lock(results: Path, caplog: pytest.LogCaptureFixture) -> None:
    work = results / ".work/stage/key"
    reading, writing = os.pipe()

    def hold() -> None:
        with key_lock(work):
            os.write(writing, b"x")
            os.read(os.open(results.parent / "fifo", os.O_RDONLY), 1)

    os.mkfifo(results.parent / "fifo", 0o666)
    (results.parent / "fifo").chmod(0o666)
    child = os.fork()
    if not child:
        as_user(ALICE, hold)
        os._exit(0)
    assert os.read(reading, 1) == b"x"
    release = os.open(results.parent / "fifo", os.O_WRONLY)
    caplog.set_level(logging.INFO)

    class Releasing(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            os.close(release)

    handler = Releasing()
    logging.getLogger("workflow_scripts.core.cache").addHandler(handler)
    try:
        with key_lock(work):
            pass
    finally:
        logging.getLogger("workflow_scripts.core.cache").removeHandler(handler)
    os.waitpid(child, 0)
    [said] = caplog.messages
    assert re.search(
        rf": user {ALICE} on \S+, process \d+, since \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d UTC; to continue its work", said
    )
