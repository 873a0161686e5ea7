"""Look at more states than the test does: `python -m tests.replay --states 20000 --seed 1`.

All states of the NFS, journal and btrfs models, and up to that many of the POSIX model for each scenario.
"""

import argparse
import sys

from tests.replay.crashes import main

parser = argparse.ArgumentParser(prog="python -m tests.replay", description=__doc__)
parser.add_argument("--states", type=int, default=20_000, help="states of the POSIX model for each scenario")
parser.add_argument("--seed", type=int, default=1, help="seed of that sample")
args = parser.parse_args()
sys.exit(main(args.states, args.seed) > 0)
