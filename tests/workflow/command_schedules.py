"""Commands on a checkout while Snakemake runs, is killed and is started again: a schedule that a seed makes."""

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

from tests.forkserver.environment import fork_servers
from tests.workflow.checkout import NANO, Checkout, as_user, give_to_user

CONFIG = "tests/config/nano.yaml"
EDIT = ("neighbours: 5", "neighbours: 6")  # of the online probe: every training and what is made from it
OPERATIONS = {"run": 4, "edit": 2, "undo": 2, "audit": 2, "cache-gc": 2, "recover": 1, "kill": 4}
LENGTH, LONGEST = 10, 12.0  # operations, and seconds between two


def command(checkout: Checkout, *words: str) -> None:
    """Run a command of the project, which may find faults or refuse, but not end as a bug."""
    script = [*as_user(), sys.executable, "-m", "workflow_scripts.commands", *words]
    done = subprocess.run(
        script, cwd=checkout.folder, env=checkout.environment(), capture_output=True, text=True, check=False
    )
    nothing_yet = done.returncode == 2 and "no study in" in done.stderr
    assert done.returncode in (0, 1) or nothing_yet, (words, done.stderr[-3000:])
    assert "this is a bug" not in done.stderr, (words, done.stderr[-3000:])


def snakemake_schedule(seed: int) -> Counter[str]:
    """One schedule; numbers of its operations.

    Raises:
        AssertionError: a command ended as a bug, or the study differs from one that ran undisturbed.
    """
    chance, counts = random.Random(seed), Counter[str]()
    with tempfile.TemporaryDirectory(prefix="schedule-") as name, fork_servers() as servers:
        Path(name).chmod(0o755)
        disturbed, plain = Checkout(Path(name, "disturbed")), Checkout(Path(name, "plain"))
        for checkout in (disturbed, plain):
            checkout.study, checkout.snakemake = "nano", servers.snakemake
        give_to_user(Path(name))
        _disturb(disturbed, chance, counts)
        for checkout in (disturbed, plain):
            checkout.finish(*NANO)
        assert disturbed.hashes() == plain.hashes()
    return counts


def _disturb(checkout: Checkout, chance: random.Random, counts: Counter[str]) -> None:
    running: subprocess.Popen[bytes] | None = None
    edited = False
    for _ in range(LENGTH):
        name = chance.choices(list(OPERATIONS), list(OPERATIONS.values()))[0]
        counts[f"snakemake {name}"] += 1
        if name == "run" and (running is None or running.poll() is not None):
            running = checkout.start(*NANO)
        elif name == "kill" and running is not None:
            with suppress(ProcessLookupError):
                os.killpg(running.pid, signal.SIGKILL)
            running.wait()
        elif (name == "edit" and not edited) or (name == "undo" and edited):
            checkout.edit(CONFIG, *(EDIT[::-1] if edited else EDIT))
            edited = not edited
        elif name in ("audit", "cache-gc", "recover"):
            command(checkout, name)
        time.sleep(chance.uniform(0, LONGEST))
    if running is not None:
        with suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGINT)
        running.wait()
    if edited:
        checkout.edit(CONFIG, *EDIT[::-1])
    command(checkout, "recover")
