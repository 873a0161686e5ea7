"""A disk that is full again and again: the results lie on a tmpfs that gets room whenever the study can't go on."""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.workflow.checkout import Checkout, give_to_user
from tests.workflow.kills import audited_root

KB = 1024


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[None]:
    """A tmpfs of ``size`` bytes at ``folder``, the ordinary user's own.

    Raises:
        PermissionError: this user or container may not mount.
    """
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=False).returncode:
        raise PermissionError("mounting a tmpfs is not allowed here")
    try:
        give_to_user(folder)
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def make_room(folder: Path, free: int) -> None:
    """Leave ``free`` bytes on the disk at ``folder``."""
    status = os.statvfs(folder)
    size = (status.f_blocks - status.f_bfree) * status.f_frsize + free
    subprocess.run(["mount", "-o", f"remount,size={size}", folder], check=True)


def complaint(printed: str) -> str:
    """The last line of a command that failed for want of room; it says so and names a file or folder."""
    last = printed.splitlines()[-1]
    assert last.startswith("error: "), printed[-3000:]
    assert "No space left on device" in last and "; free space there" in last, printed[-3000:]
    assert "Traceback" not in printed, printed[-6000:]
    return last


def fill(
    checkout: Checkout, words: tuple[str, ...], rooms: list[int], between: Callable[[], object] = lambda: None
) -> list[str]:
    """Run a study whose results are a :func:`small_disk`, with ``rooms`` bytes free, one number after another.

    The last one must do. ``between`` is called after each that did not, with that many bytes free.

    Gives the last line of each command that failed.
    """
    results, said = checkout.folder / "results", []
    for room in rooms:
        make_room(results, room)
        status, printed = checkout.run(*words)
        if status == 0:
            break
        said.append(complaint(printed))
        make_room(results, rooms[-1])
        between()
    assert status == 0, printed[-4000:]
    audited_root(checkout)
    return said
