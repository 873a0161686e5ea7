"""Memory that runs out: `python -m tests.replay.allocations results/STUDY --sample 200 --seed 0`.

Artifacts of a finished study are computed again, apart from it, each time with one allocation of more than a megabyte
that fails, whichever library asks for it. The stage must end with an error or make the same bytes.
"""

import argparse
import json
import os
import random
import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.replay.failing import library
from workflow_scripts.core.artifact import Artifact
from workflow_scripts.provenance import verify
from workflow_scripts.provenance.nodes import Node, load

COUNTED = re.compile(r"^large allocations: (\d+)$", re.MULTILINE)
UNMADE = {"source", "download", "report"}  # a place, the network, and pages with times of other stages


def compute(node: Node, folder: Path, number: int, preload: Path) -> tuple[int, str]:
    """Exit status, and what was printed, of a stage of which one large allocation fails; none for 0."""
    target = folder / node.study.name / node.stage / node.name
    words = verify.command(node, target, verify.Options(folder, lambda *_: None))
    environment = os.environ | {"LD_PRELOAD": str(preload), "NTH_ALLOCATION": str(number), "PYTHONHASHSEED": "0"}
    done = subprocess.run(
        words, cwd=verify.start_folder(node), env=environment, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stderr


def outcome(node: Node, folder: Path, number: int, preload: Path) -> str:
    """``refused``, ``well`` (went on with the same bytes), or what is wrong."""
    status, printed = compute(node, folder, number, preload)
    manifest = folder / node.study.name / node.stage / f"{node.name}.manifest.json"
    if not manifest.exists():
        return "refused" if status else "ended well without a manifest"
    if status:
        return f"status {status} with a manifest: {printed[-300:]}"
    made = Artifact(manifest)
    for suffix in made.suffixes:
        made.path(suffix)  # compares the bytes with the manifest
    return "well" if json.loads(manifest.read_bytes())["files"] == node.manifest["files"] else "other bytes"


def campaign(study: Path, wanted: int, seed: int) -> int:
    """Try a sample, print the numbers, and return that of faults."""
    chance, counts = random.Random(seed), Counter[str]()
    nodes = [node for node in load(study) if node.record and node.stage not in UNMADE]
    with tempfile.TemporaryDirectory() as scratch:
        preload = library(Path(scratch))
        large: dict[Path, int] = {}
        for turn, node in enumerate(chance.choices(sorted(nodes, key=lambda node: str(node.path)), k=wanted)):
            if node.path not in large:
                printed = compute(node, Path(scratch) / f"counted-{turn}", 0, preload)[1]
                large[node.path] = max([0, *map(int, COUNTED.findall(printed))])
            number = chance.randint(1, max(1, large[node.path]))
            told = outcome(node, Path(scratch) / str(turn), number, preload) if large[node.path] else "none is large"
            counts[told if told in ("well", "refused", "none is large") else "faulty"] += 1
            if told not in ("well", "refused", "none is large"):
                sys.stdout.write(f"{node.label}, allocation {number}: {told}\n")
    sys.stdout.write(f"{dict(counts)}\n")
    return counts["faulty"]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.replay.allocations", description=__doc__)
    parser.add_argument("study", type=Path, help="a finished study, such as results/demo")
    parser.add_argument("--sample", type=int, default=200, help="number of failures to try")
    parser.add_argument("--seed", type=int, default=0, help="which ones")
    args = parser.parse_args()
    sys.exit(campaign(args.study, args.sample, args.seed) > 0)
