"""SIGKILL a study at random moments and run the same command again: it must end with the undisturbed root hash.

Every other kill takes Snakemake alone, whose jobs then go on; the others take its jobs as well. After every third kill
Snakemake's own memory is deleted, so that nothing but our files says what is complete.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time

from tests.workflow.checkout import Checkout, as_user


def disturb(checkout: Checkout, words: tuple[str, ...], chance: random.Random, kills: int, pause: float) -> int:
    """Start the study until it was killed ``kills`` times or is complete; how many kills there were.

    Args:
        pause: a kill comes at a random moment in this many seconds.
    """
    for number in range(kills):
        process = checkout.start(*words)
        time.sleep(chance.uniform(0.05 * pause, pause))
        if process.poll() is not None:
            return number
        if number % 2:
            os.kill(process.pid, signal.SIGKILL)
        else:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if number % 3 == 2:
            shutil.rmtree(checkout.folder / ".snakemake", ignore_errors=True)
    return kills


def audited_root(checkout: Checkout) -> str:
    """The study's root hash, from an audit that finds no fault."""
    command = [
        *as_user(),
        sys.executable,
        "-m",
        "workflow_scripts.commands",
        "audit",
        "--json",
        f"results/{checkout.study}",
    ]
    environment = checkout.environment() | {"PYTHONPATH": str(checkout.folder)}
    done = subprocess.run(command, cwd=checkout.folder, env=environment, capture_output=True, text=True, check=False)
    found = json.loads(done.stdout)
    assert found["holds"], found
    return str(found["studies"][0]["root"])
