"""Feed damaged and absurd inputs to everything that reads files, answers or settings from outside.

    python -m tests.fuzz --inputs 500000            all kinds
    python -m tests.fuzz --kinds images --seed 7    one kind, other inputs
    python -m tests.fuzz --replay images:7:123      one input again, with its traceback

Every input must end in a PipelineError or in a counted state, within 5 s of CPU time and 800 MiB of memory beyond what
the code takes. Exit status 1 when one does not; its files are then below --save.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

from tests.fuzz.campaign import Outcome, campaign, save, shares
from tests.fuzz.targets import SHARES, load
from tests.fuzz.worker import quiet
from workflow_scripts.core.errors import PipelineError


def report(kind: str, found: Outcome) -> str:
    """A line on one kind."""
    words = ", ".join(f"{count:,} {word}" for word, count in sorted(found.outcomes.items()))
    return (
        f"{kind:<12} {found.seconds:7.1f} s CPU, slowest {found.slowest[0]:.2f} s (number {found.slowest[1]}), "
        f"peak +{found.peak / 1e6:.0f} MB: {words}"
    )


def replay(which: str, folder: Path) -> None:
    """Run one input, ``kind:seed:number``, without anything around it."""
    kind, seed, number = which.split(":")
    place = save(kind, int(seed), int(number), folder)
    quiet()
    sys.stdout.write(f"input: {place}\n")
    try:
        sys.stdout.write(f"outcome: {load(kind).run(place)}\n")
    except PipelineError as error:
        sys.stdout.write(f"outcome: refused ({error})\n")


def main() -> int:
    """The command."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__, formatter_class=form)
    parser.add_argument("--inputs", type=int, default=20_000, help="number of inputs, of all kinds together")
    parser.add_argument("--seed", type=int, default=0, help="another seed gives other inputs")
    parser.add_argument("--kinds", nargs="+", choices=sorted(SHARES), help="only these kinds")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="worker processes at a time")
    parser.add_argument("--save", type=Path, help="folder for inputs that show a fault; default: a temporary one")
    parser.add_argument("--replay", metavar="KIND:SEED:NUMBER", help="run one input again")
    args = parser.parse_args()
    folder = args.save or Path(tempfile.mkdtemp(prefix="fuzz-faults-"))
    if args.replay:
        replay(args.replay, folder)
        return 0
    faults = 0
    for kind, found in campaign(shares(args.inputs, args.kinds), args.seed, args.jobs).items():
        sys.stdout.write(report(kind, found) + "\n")
        for number, fault in found.faults.items():
            place = save(kind, args.seed, number, folder)
            sys.stdout.write(f"FAULT {kind}:{args.seed}:{number} (input: {place})\n{fault}\n")
        faults += len(found.faults)
    sys.stdout.write(f"{faults} faults\n" if faults else "no faults\n")
    return int(faults > 0)


if __name__ == "__main__":
    raise SystemExit(main())
