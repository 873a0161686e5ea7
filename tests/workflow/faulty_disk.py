"""A disk whose calls fail at random with ENOSPC, EIO, EDQUOT, EROFS, ESTALE or EMFILE, by a preloaded library."""

import re
import subprocess
from pathlib import Path

from tests.workflow.checkout import Checkout

SOURCE = Path(__file__).with_suffix(".c")
SAID = ("error: storage error of ", "error: unusable request budget of hosts in ")  # the latter for open files


class FaultyCheckout(Checkout):
    """A checkout on a faulty disk: one in ``one_in`` calls that write fails, and one in ``reads_one_in`` that read.

    None fails for 0. No job can read files whose path ends in ``once`` before it has started again.
    """

    one_in = reads_one_in = 0
    once = ""
    seed = 0
    library = Path()

    def environment(self) -> dict[str, str]:
        """That of a checkout, and the preloaded library."""
        preload = {"LD_PRELOAD": str(self.library), "SERVER_PRELOAD": str(self.library)}
        faulty = {
            "FAULTY_FOLDER": str(self.folder / "results"),
            "FAULTY_ONE_IN": str(self.one_in),
            "FAULTY_READS_ONE_IN": str(self.reads_one_in),
            "FAULTY_SEED": str(self.seed),
            "FAULTY_ONCE": self.once,
        }
        return super().environment() | preload | (faulty if self.one_in or self.reads_one_in or self.once else {})


def compiled(folder: Path) -> Path:
    """The library, compiled into ``folder``.

    Raises:
        FileNotFoundError: there is no C compiler.
    """
    library = folder / "faulty_disk.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, SOURCE, "-ldl"], check=True)
    library.chmod(0o755)
    return library


def failed_logs(checkout: Checkout) -> list[str]:
    """Last lines of the logs of stages that failed, which must be an error of the disk in one line."""
    found = []
    for log in sorted((checkout.folder / f"results/{checkout.study}/logs").rglob("*.log")):
        text = log.read_text()
        name = f"{log.parent.name}/{log.stem}"
        if not (checkout.folder / f"results/{checkout.study}/{name}.manifest.json").exists():
            last = text.splitlines()[-1]
            assert last.startswith(SAID) and "run the same command again" in last, text[-4000:]
            assert "Traceback" not in text, text[-6000:]
            assert re.search(r" in \S*results[/:]", last), last  # the folder itself where that could not be synced
            found.append(last)
    return found


def starts_again(checkout: Checkout) -> int:
    """How often jobs started again after a read that failed."""
    logs = (checkout.folder / f"results/{checkout.study}/logs").rglob("*.log")
    return sum(log.read_text().count("starting again in") for log in logs)


def disturb(checkout: FaultyCheckout, words: tuple[str, ...], failures: int, one_in: int, seed: int = 0) -> list[str]:
    """Run a study on the faulty disk until ``failures`` jobs have failed or it is complete; last lines of their logs.

    Every run makes other calls fail, so that the study goes on from one to the next.
    """
    said: list[str] = []
    status = 1
    while status and len(said) < failures:
        checkout.one_in, checkout.seed = one_in, seed + len(said)
        status, printed = checkout.run(*words, "--keep-going")
        found = failed_logs(checkout)
        assert (status != 0) == bool(found), printed[-4000:]
        said += found
    checkout.one_in = 0
    return said
