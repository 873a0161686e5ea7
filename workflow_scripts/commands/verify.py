"""Recompute sampled artifacts and compare: `python -m workflow_scripts.commands.verify results/demo --sample 12`.

Each sampled artifact is computed again in a clean folder from its recorded inputs, with the recorded settings, device
and math threads. Nothing below PATH is changed. Exit status 0 when every file is bit-exact, within tolerance, or not
reproducible by design.
"""

import argparse
import json
import shutil
import sys
import tempfile
from collections import Counter
from dataclasses import asdict
from pathlib import Path

from workflow_scripts.commands.command import plain_errors
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.runtime.progress import progress
from workflow_scripts.provenance.nodes import Node, load
from workflow_scripts.provenance.verify.verify import Kind, Options, Verdict, sample, verify
from workflow_scripts.study.sizes import at_least_one

GOOD = (Kind.EXACT, Kind.WITHIN, Kind.BY_DESIGN)


def lines(verdicts: list[Verdict]) -> list[str]:
    """One line per file, and a last one with the counts."""
    text = [
        f"{one.kind:<26} {one.artifact}{one.suffix}" + (f"  ({one.detail})" if one.detail else "") for one in verdicts
    ]
    counts = Counter(one.kind for one in verdicts)
    artifacts = len({one.artifact for one in verdicts})
    told = ", ".join(f"{counts[kind]} {kind}" for kind in Kind if counts[kind])
    return [*text, f"{artifacts} artifacts, {len(verdicts)} files: {told}"]


def main(argv: list[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m workflow_scripts.commands.verify", description=__doc__)
    parser.add_argument("path", type=Path, help="a study, a stage's folder, or one manifest")
    parser.add_argument("--sample", type=at_least_one, default=12, help="number of artifacts to recompute")
    parser.add_argument("--seed", type=int, default=0, help="seed of the sample")
    parser.add_argument("--threads", type=at_least_one, help="math threads, in place of the recorded number")
    parser.add_argument("--device", choices=("cpu", "cuda"), help="in place of the recorded device")
    parser.add_argument("--workers", type=at_least_one, default=1, help="for input and output; never changes bytes")
    parser.add_argument("--timeout", type=float, help="seconds for one stage")
    parser.add_argument(
        "--scratch", type=Path, help="parent of the clean folder; default: the system's temporary folder"
    )
    parser.add_argument("--json", action="store_true", help="verdicts as JSON")
    args = parser.parse_args(argv)
    with plain_errors():
        nodes = sample(load(args.path), args.sample, args.seed)
        if not nodes:
            raise PipelineError("nothing to verify", args.path, "no manifest below it", "give a folder with results")
        verdicts = _verify_all(nodes, args)
    text = json.dumps([asdict(one) for one in verdicts], indent=1) if args.json else "\n".join(lines(verdicts))
    sys.stdout.write(text + "\n")
    raise SystemExit(0 if all(one.kind in GOOD for one in verdicts) else 1)


def _verify_all(nodes: list[Node], args: argparse.Namespace) -> list[Verdict]:
    """All verdicts; each artifact's clean folder goes unless a file of it differs."""
    scratch = Path(tempfile.mkdtemp(prefix="verify-", dir=args.scratch)).absolute()
    verdicts: list[Verdict] = []
    for number, node in enumerate(progress(nodes, len(nodes), "artifacts")):
        folder = scratch / str(number)
        found = verify(node, Options(folder, args.threads, args.device, args.workers, args.timeout))
        verdicts += found
        if any(one.kind == Kind.DIFFERS for one in found):
            sys.stderr.write(f"{node.label} differs; what was recomputed is kept in {folder}\n")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    if not any(scratch.iterdir()):
        scratch.rmdir()
    return verdicts


if __name__ == "__main__":
    main()
