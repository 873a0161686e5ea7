"""A disk that is full again and again: the results lie on a small tmpfs that grows whenever the study can't go on.

By hand, on the small study (needs root, to mount)::

    python -m tests.workflow.full_disk --sizes 20
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.workflow.checkout import CONFIG, Checkout, give_to_user
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


def grow(folder: Path, size: int) -> None:
    """Give the disk at ``folder`` ``size`` bytes."""
    subprocess.run(["mount", "-o", f"remount,size={size}", folder], check=True)


def complaint(printed: str) -> str:
    """The last line of a command that failed for want of room; it says so and names a file or folder."""
    last = printed.splitlines()[-1]
    assert last.startswith("error: "), printed[-3000:]
    assert "No space left on device" in last and "; free space there" in last, printed[-3000:]
    assert "Traceback" not in printed, printed[-6000:]
    return last


def fill(checkout: Checkout, words: tuple[str, ...], sizes: list[int]) -> tuple[list[str], dict[str, str]]:
    """Run a study on a disk that has one size after another; the last one must do.

    Gives the last line of each command that failed, and the hashes of the finished study.
    """
    results, said = checkout.folder / "results", []
    with small_disk(results, sizes[0]):
        for size in sizes:
            grow(results, size)
            status, printed = checkout.run(*words)
            if status == 0:
                break
            said.append(complaint(printed))
        assert status == 0, printed[-4000:]
        audited_root(checkout)
        return said, checkout.hashes()


def sizes_between(first: int, last: int, count: int) -> list[int]:
    """``count`` sizes in bytes from ``first`` to ``last`` kB, each larger than the one before by the same factor."""
    return [int(first * KB * (last / first) ** (number / (count - 1))) for number in range(count)]


def main(argv: list[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.workflow.full_disk", description=__doc__)
    parser.add_argument("--sizes", type=int, default=20, help="sizes of the disk at which the study is tried")
    parser.add_argument("--first", type=int, default=200, help="kB of the smallest")
    parser.add_argument("--last", type=int, default=64_000, help="kB of the largest, which must do")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="workflow") as folder:
        Path(folder).chmod(0o755)
        checkout = Checkout(Path(folder) / "checkout")
        said, hashes = fill(checkout, CONFIG, sizes_between(args.first, args.last, args.sizes))
        assert checkout.run(*CONFIG)[0] == 0
        assert checkout.hashes() == hashes
        sys.stdout.write("".join(f"{line}\n" for line in said))
        sys.stdout.write(f"{len(said)} sizes were too small; the same bytes as on a large disk\n")


if __name__ == "__main__":
    main()
