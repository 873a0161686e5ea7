"""SIGKILL a study at random moments and run the same command again: it must end with the undisturbed root hash.

By hand, ten runs of the demo with five kills each (an hour and more)::

    python -m tests.workflow.kills --runs 10 --kills 5

Every other kill takes Snakemake alone, whose jobs then go on; the others take its jobs as well. After every third kill
Snakemake's own memory is deleted, so that nothing but our files says what is complete.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.forkserver.environment import ForkServers
from tests.workflow.checkout import Checkout, as_user

DEMO = ("--profile", "profiles/demo")


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


def main(argv: list[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.workflow.kills", description=__doc__)
    parser.add_argument("--runs", type=int, default=10, help="runs of the demo")
    parser.add_argument("--kills", type=int, default=5, help="kills in each run")
    parser.add_argument("--pause", type=float, default=60.0, help="a kill comes within so many seconds")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--root", help="root hash of an undisturbed run; computed first where it is not given")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="workflow") as folder:
        Path(folder).chmod(0o755)
        (Path(folder) / "servers").mkdir()
        servers = ForkServers(Path(folder) / "servers")
        checkout = Checkout(Path(folder) / "checkout")
        checkout.study, checkout.snakemake = "demo", servers.jobs_only
        wanted = args.root
        for number in range(0 if wanted else -1, args.runs):
            chance = random.Random(f"{args.seed} {number}")
            kills = disturb(checkout, DEMO, chance, args.kills, args.pause) if number >= 0 else 0
            status = checkout.start(*DEMO).wait()  # however long a busy machine takes
            if status:
                printed = (checkout.folder / "terminal.txt").read_text(errors="replace")
                sys.exit(f"run {number}: the study failed after {kills} kills\n{printed[-4000:]}")
            root = audited_root(checkout)
            wanted = wanted or root
            sys.stdout.write(f"run {number}: {kills} kills, root {root}, {'equal' if root == wanted else 'DIFFERS'}\n")
            sys.stdout.flush()
            if root != wanted:
                sys.exit(1)
            checkout.clear()
        servers.close()


if __name__ == "__main__":
    main()
