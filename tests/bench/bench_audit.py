"""Speed of the audit, in one run each, warm.

    python -m tests.bench.bench_audit [--repeats 5] [--megabytes 2000] [--artifacts 20000]

Contents: the whole `faithful-pairs audit` against `sha256sum` over the same files with as many processes, interleaved;
the aim is at least 0.8 of its speed. Sizes: `faithful-pairs audit --quick` of many artifacts; the aim is at most 20 s.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import Any

from workflow_scripts.audit.files import cores
from workflow_scripts.core.artifact import MANIFEST, RUN
from workflow_scripts.core.cache import file_hash
from workflow_scripts.core.digest import code_digest, code_parts
from workflow_scripts.core.files.jsonio import digest, pretty
from workflow_scripts.core.files.notes import sealed
from workflow_scripts.core.key import SCHEMA, artifact_key
from workflow_scripts.core.runtime.machine import Clock, machine
from workflow_scripts.study.active_config import remember

AIM, QUICK_AIM, SHARDS = 0.8, 20.0, 40


@cache
def machine_once() -> dict[str, Any]:
    """What a run record says of the machine."""
    return machine((), "cpu")


def make(results: Path, stage: str, name: str, data: bytes) -> Path:
    """One artifact with a data file, as a stage leaves it, but for the cache; gives the data file's path."""
    path = results / "study" / stage / f"{name}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    files = {".parquet": {"sha256": file_hash(path), "bytes": len(data)}}
    manifest = {"schema": SCHEMA, "stage": stage, "unit": {}, "files": files, "rows": {}}
    recipe = ({"size": len(data)}, {}, {"device": "cpu", "threads": 1, "packages": {}})
    record = {
        **{"artifact": f"{stage}/{name}", "stage": stage, "unit": {"shard": name}, "cached": False, "workers": 1},
        **{"key": artifact_key(stage, {}, code_digest(stage), *recipe), "code": code_digest(stage)},
        **dict(zip(("settings", "inputs", "environment"), recipe, strict=True)),
        **{"closure": code_parts(stage), "not_in_key": [], "input_files": {}, "facts": {}, "beside": {}},
        **{"git": {"commit": None, "dirty": None, "diff": None}, "manifest": digest(manifest)},
        **machine_once(),
        **Clock().read(),
    }
    path.with_name(f"{name}{RUN}").write_bytes(pretty(sealed(record)))
    path.with_name(f"{name}{MANIFEST}").write_bytes(pretty(manifest))
    return path


def seconds(command: list[str], given: bytes = b"") -> float:
    """Wall time of a command that has to end well."""
    start = time.monotonic()
    subprocess.run(command, check=True, input=given, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.monotonic() - start


def contents(folder: Path, megabytes: int, repeats: int) -> None:
    """Audit against sha256sum."""
    data = random.Random(0).randbytes(megabytes * 1_000_000 // SHARDS)
    files = [make(folder, "recaption", f"{n:05d}", data[n:] + data[:n]) for n in range(SHARDS)]
    remember(folder, "study", [], {})
    audit = [sys.executable, "-m", "workflow_scripts.commands", "audit", str(folder)]
    each = ["xargs", "-0", "-n", "1", "-P", str(cores()), "sha256sum"]
    names = b"\0".join(os.fsencode(path) for path in files)
    ours, theirs = [], []
    for _ in range(repeats):
        ours.append(seconds(audit))
        theirs.append(seconds(each, names))
    one, other = statistics.median(ours), statistics.median(theirs)
    sys.stdout.write(f"contents of {megabytes} MB in {SHARDS} files, {cores()} at a time, medians of {repeats}: ")
    sys.stdout.write(f"audit {one:.2f} s, sha256sum {other:.2f} s; speed {other / one:.2f} of it (aim {AIM})\n")


def sizes(folder: Path, artifacts: int, repeats: int) -> None:
    """Audit --quick of many artifacts."""
    for number in range(artifacts):
        make(folder, "recaption", f"{number:05d}", f"{number}".encode())
    remember(folder, "study", [], {})
    audit = [sys.executable, "-m", "workflow_scripts.commands", "audit", "--quick", "--json", str(folder)]
    told = json.loads(subprocess.run(audit, check=True, capture_output=True).stdout)
    assert told["studies"][0]["artifacts"] == artifacts
    took = statistics.median(seconds(audit) for _ in range(repeats))
    sys.stdout.write(f"--quick of {artifacts} artifacts: {took:.1f} s (aim {QUICK_AIM:.0f}), median of {repeats}\n")


def main() -> None:
    """Print both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--megabytes", type=int, default=2000)
    parser.add_argument("--artifacts", type=int, default=20_000)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        contents(Path(folder) / "big" / "results", args.megabytes, args.repeats)
        sizes(Path(folder) / "many" / "results", args.artifacts, args.repeats)


if __name__ == "__main__":
    main()
