"""The smallest study in varied surroundings: `python -m tests.workflow.surroundings`.

A covering design varies clock, time zone, locale, umask, user, home, host name, path, order of folders' entries,
number of cores, hash seed and environment variables, so that any two levels of any two factors meet in some build. All
builds must have the bytes of the first. As root, with Debian's packages disorderfs, faketime and locales; factors that
can't be varied here are named.
"""

import argparse
import itertools
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.workflow.checkout import NANO, NOBODY, Checkout

TURKISH = "tr_TR.UTF-8"  # where the capital of i is not I
OTHER_USER = 54_321  # without an entry in passwd
LONG = "a folder with blanks, ümlauts and a name that is longer than most " + "x" * 60
# Those that choose a processor's instructions change bytes: they are left alone, recorded, and compared by `verify`.
THREADS = {"OMP_NUM_THREADS": "2", "MKL_DYNAMIC": "TRUE", "OMP_SCHEDULE": "dynamic", "KMP_FORCE_REDUCTION": "tree"}
LIBRARIES = {"ONEDNN_DEFAULT_FPMATH_MODE": "BF16", "SKLEARN_WORKING_MEMORY": "1", "MKL_VML_MODE": "VML_EP"}


@dataclass(frozen=True)
class Level:
    """One value of a factor.

    Attributes:
        environment: variables of Snakemake and its jobs.
        prefix: words before the command.
    """

    environment: Mapping[str, str] = field(default_factory=dict)
    prefix: Sequence[str] = ()


def _shell(line: str) -> tuple[str, ...]:
    return "sh", "-c", f'{line}; exec "$@"', "sh"


def _user(number: int) -> Level:
    powers = ["--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search"]
    return Level(prefix=("setpriv", "--reuid", str(number), "--regid", str(number), "--clear-groups", *powers))


FACTORS: dict[str, dict[str, Level]] = {  # the first level of each is the plain one
    "host": {
        "own": Level(),
        "other": Level(prefix=("unshare", "--uts", "sh", "-c", 'hostname other; exec "$@"', "sh")),
    },
    "user": {"nobody": _user(NOBODY), "unknown": _user(OTHER_USER), "root": Level()},
    "umask": {mask: Level(prefix=_shell(f"umask {mask}")) for mask in ("022", "077", "002")},
    "cores": {"all": Level(), "one": Level(prefix=("taskset", "-c", "0"))},
    "clock": {"now": Level(), "in 500 days": Level(prefix=("faketime", "-f", "+500d"))},
    "zone": {name: Level({"TZ": name}) for name in ("UTC", "Pacific/Kiritimati", "America/St_Johns")},
    "locale": {name: Level({"LC_ALL": name}) for name in ("C.UTF-8", "C", TURKISH)},
    "home": {"own": Level(), "missing": Level({"HOME": "/no/such/home"})},
    "path": {"short": Level(), "long": Level()},
    "entries": {"as they come": Level(), "shuffled": Level(), "reversed": Level()},
    "hash seed": {seed: Level({"PYTHONHASHSEED": seed}) for seed in ("0", "random", "4242")},
    "variables": {"none": Level(), "threads": Level(THREADS), "libraries": Level(LIBRARIES)},
}
DISORDER = {"shuffled": "--shuffle-dirents=yes", "reversed": "--reverse-dirents=yes"}
TRIALS = {  # what must succeed where a factor can be varied
    "clock": "faketime -f +500d true",
    "entries": "disorderfs --version && test -w /dev/fuse",
    "host": "unshare --uts hostname other",
    "user": f"setpriv --reuid {OTHER_USER} --clear-groups true",
    "cores": "taskset -c 0 true",
}


def missing(locales: Path) -> dict[str, str]:
    """Factors that can't be varied on this machine, and why; the Turkish locale is made in ``locales``."""
    found = {}
    for factor, trial in TRIALS.items():
        if subprocess.run(trial, shell=True, capture_output=True, check=False).returncode:
            found[factor] = f"this fails: {trial}"
    if os.getuid():
        found |= dict.fromkeys(("host", "user", "entries"), "needs root")
    if (os.cpu_count() or 1) < 2:
        found["cores"] = "one core"
    if not turkish(locales):
        found["locale"] = "no localedef"
    return found


def covering(sizes: Sequence[int], seed: int) -> list[tuple[int, ...]]:
    """Rows of levels in which any two levels of any two factors meet; the first row is all zeros.

    Greedy, as AETG (Cohen et al. 1997): of fifty random rows with a pair that is still missing, the one with the most.
    """
    chance = random.Random(seed)

    def pairs(row: Sequence[int]) -> set[tuple[int, int, int, int]]:
        return {(a, row[a], b, row[b]) for a, b in itertools.combinations(range(len(row)), 2)}

    rows = [tuple(0 for _ in sizes)]
    places = itertools.combinations(range(len(sizes)), 2)
    left = {(a, i, b, j) for a, b in places for i in range(sizes[a]) for j in range(sizes[b])} - pairs(rows[0])
    while left:
        candidates = []
        for _ in range(50):
            row = [chance.randrange(size) for size in sizes]
            a, row[a], b, row[b] = chance.choice(sorted(left))
            candidates.append(tuple(row))
        rows.append(max(candidates, key=lambda row: len(pairs(row) & left)))
        left -= pairs(rows[-1])
    return rows


class VariedCheckout(Checkout):
    """A checkout whose commands run in the given surroundings: factor -> level."""

    surroundings: Mapping[str, str]

    def environment(self) -> dict[str, str]:
        """That of a checkout, with the variables of the levels."""
        found = super().environment()
        for factor, level in self.surroundings.items():
            found |= FACTORS[factor][level].environment
        return found

    def command(self) -> list[str]:
        """Snakemake, after the prefixes of the levels in order of the factors."""
        return [word for factor in FACTORS for word in FACTORS[factor][self.surroundings[factor]].prefix] + [
            *self.snakemake,
            *NANO,
        ]


@contextmanager
def in_order(folder: Path, order: str, mounted: Path) -> Iterator[Path]:
    """The folder, or a mount of it whose folders list their entries in another order."""
    if order not in DISORDER:
        yield folder
        return
    mounted.mkdir()
    words = ["disorderfs", "--multi-user=yes", DISORDER[order], str(folder), str(mounted)]
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    try:
        yield mounted
    finally:
        subprocess.run(["fusermount", "-u", "-z", str(mounted)], check=False)


def build(surroundings: Mapping[str, str], scratch: Path, locales: Path) -> dict[str, str]:
    """sha256 of every file of the smallest study, built in these surroundings.

    Raises:
        RuntimeError: the study failed; the message has the end of what was printed.
    """
    checkout = VariedCheckout(scratch / (LONG if surroundings["path"] == "long" else "s"))
    checkout.study, checkout.surroundings = "nano", surroundings
    if os.getuid() == 0:
        owner = {"root": 0, "unknown": OTHER_USER}.get(surroundings["user"], NOBODY)
        subprocess.run(["chown", "-R", f"{owner}:{owner}", str(checkout.folder)], check=True)
    with in_order(checkout.folder, surroundings["entries"], scratch / "mounted") as checkout.folder:
        environment = checkout.environment() | {"LOCPATH": str(locales)}
        done = subprocess.run(
            checkout.command(),
            cwd=checkout.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{surroundings}: status {done.returncode}\n{done.stdout[-3000:]}")
        return checkout.hashes()


def turkish(folder: Path) -> bool:
    """Whether the Turkish locale could be made in ``folder``."""
    if shutil.which("localedef") is None:
        return False
    words = ["localedef", "-i", "tr_TR", "-f", "UTF-8", str(folder / TURKISH)]
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


def rows_of(seed: int, fixed: Mapping[str, str]) -> list[dict[str, str]]:
    """The design: builds, each factor -> level. Factors of ``fixed`` keep their first level."""
    levels = [list(FACTORS[factor])[: 1 if factor in fixed else None] for factor in FACTORS]
    rows = covering([len(names) for names in levels], seed)
    return [dict(zip(FACTORS, map(list.__getitem__, levels, row), strict=True)) for row in rows]


def campaign(seed: int) -> int:
    """Build all rows; print them, and return the number that differ from the first."""
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="surroundings-") as name:
        scratch, locales = Path(name), Path(name, "locales")
        scratch.chmod(0o755)
        locales.mkdir()
        fixed = missing(locales)
        for factor, reason in fixed.items():
            sys.stdout.write(f"not varied: {factor} ({reason})\n")
        first: dict[str, str] = {}
        for number, surroundings in enumerate(rows_of(seed, fixed)):
            started = time.monotonic()
            place = scratch / str(number)
            place.mkdir()
            found = build(surroundings, place, locales)
            first = first or found
            differing = sorted(path for path in first.keys() | found.keys() if first.get(path) != found.get(path))
            wrong += bool(differing)
            told = ", ".join(f"{factor} {level}" for factor, level in surroundings.items())
            sys.stdout.write(f"{number}: {told}: {time.monotonic() - started:.0f} s, {differing or 'same bytes'}\n")
            sys.stdout.flush()
            shutil.rmtree(place, ignore_errors=True)
    return wrong


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.workflow.surroundings", description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="of the design")
    sys.exit(campaign(parser.parse_args().seed) > 0)
