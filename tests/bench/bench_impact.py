"""Seconds of ``impact`` on a generated results folder, which are to grow linearly.

    python -m tests.bench.bench_impact [ARTIFACTS ...]

Writes records of as many artifacts (5,000, 10,000 and 20,000), each with the closure and the packages of a real one:
shards, their captions, runs on them, and a report that read everything. Then asks what the model of the captions
reached, and prints a JSON line for each size: seconds of processor time, and those that the first size predicts.
Exits with 1 if 20,000 artifacts take more than 30 s, or any size more than 1.5 times as long as predicted.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

from tests.provenance.hand_made import HandMade, fake_hash
from workflow_scripts.core.digest import code_parts
from workflow_scripts.provenance.impact import Graph, as_text, find_cause, impact

SIZES = (5_000, 10_000, 20_000)
LIMIT, SLOWER = 30.0, 1.5


def write(results: Path, artifacts: int) -> None:
    """A study of as many artifacts."""
    one = HandMade(results)
    about = {"closure": code_parts("pretrain"), "packages": {f"package-{number}": "1.2.3" for number in range(80)}}
    one.make("source/matcher", [".files.json"], settings={"at": "hub:example/matcher@abc"}, **about)
    shards = [f"{number:05d}" for number in range(artifacts // 3)]
    for shard in shards:
        one.make(f"download/{shard}", [".tar", ".parquet"], **about)
        inputs = {"shard": [f"download/{shard}"], "matcher": ["source/matcher"]}
        one.make(f"recaption/{shard}", [".parquet"], inputs, **about)
        one.make(f"pretrain/{shard}", ["/last.safetensors"], {"captions": [f"recaption/{shard}"]}, **about)
    everything = [f"{stage}/{shard}" for stage in ("download", "recaption", "pretrain") for shard in shards]
    one.make("report/index", [".html"], {"behind": everything}, code=fake_hash("report"))


def main() -> None:
    """Print a line per size."""
    first: float | None = None
    failed = False
    for size in [int(word) for word in sys.argv[1:]] or SIZES:
        with tempfile.TemporaryDirectory() as folder:
            write(Path(folder, "results"), size)
            start = time.process_time()
            graph = Graph([Path(folder, "results")])
            found = impact(graph, find_cause(graph, "matcher", None))
            as_text(found)
            seconds = (time.process_time() - start) / size
        first = first or seconds
        line = {"bench": "impact", "artifacts": found.total, "reached": len(found.artifacts)}
        line |= {"ours": round(seconds * size, 2), "baseline": round(first * size, 2)}
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()
        failed |= seconds * 20_000 > LIMIT or seconds > SLOWER * first
    raise SystemExit(int(failed))


if __name__ == "__main__":
    main()
