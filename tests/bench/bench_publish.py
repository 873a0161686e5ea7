"""Cost of syncing: publishing many small artifacts, against the order of calls of the first release.

    python -m tests.bench.bench_publish [--artifacts 20000] [--folder .]

Each artifact is 4 KiB: staged, sealed into the cache and published, by both orders in turn, in blocks, so that what
else the machine does meets both. The first release synced the same files but no folders and left the old manifest in
place. The aim is at most twice its time.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from workflow_scripts.core.artifact import MANIFEST, RUN
from workflow_scripts.core.cache import file_hash, link
from workflow_scripts.core.files.durable import write_atomic
from workflow_scripts.core.files.jsonio import digest, pretty
from workflow_scripts.core.files.notes import sealed
from workflow_scripts.core.key import SCHEMA
from workflow_scripts.core.publish import Staging, publish

AIM, BLOCK, BYTES = 2.0, 100, 4096


def today(results: Path, number: int) -> None:
    """Publish one artifact."""
    artifact, key = results / f"study/stage/{number:05d}", f"{number:064d}"
    staging = Staging(artifact)
    staging.open(results, "stage", key)
    staging.file(".bin").write_bytes(os.urandom(BYTES))
    entry = results / ".cache/stage" / key
    manifest, ours = staging.seal(entry, {}, {}, {"stage": "stage", "key": key})
    publish(entry, artifact, manifest, {"stage": "stage", "key": key}, ours=ours)


def first_release(results: Path, number: int) -> None:
    """The same with the first release's calls: five files are synced, and no folder."""
    artifact, key = results / f"study/stage/{number:05d}", f"{number:064d}"
    half, entry = results / ".cache/.staging" / f"stage-{key}-{os.urandom(16).hex()}", results / ".cache/stage" / key
    half.parent.mkdir(parents=True, exist_ok=True)
    for old in half.parent.glob(f"stage-{key}-*"):
        shutil.rmtree(old)
    data = half / "files/_.bin"
    data.parent.mkdir(parents=True)
    data.write_bytes(os.urandom(BYTES))
    with open(data, "rb") as stream:
        os.fsync(stream.fileno())
    data.chmod(0o444)
    files = {".bin": {"sha256": file_hash(data), "bytes": data.stat().st_size}}
    manifest: dict[str, Any] = {"schema": SCHEMA, "stage": "stage", "unit": {}, "files": files, "rows": {}}
    record = {"stage": "stage", "key": key, "beside": {}, "manifest": digest(manifest)}
    write_atomic(half / "run.json", pretty(sealed(record)))
    write_atomic(half / "manifest.json", pretty(manifest))
    entry.parent.mkdir(parents=True, exist_ok=True)
    os.rename(half, entry)
    link(entry / "files/_.bin", Path(f"{artifact}.bin"))
    write_atomic(Path(f"{artifact}{RUN}"), pretty(sealed(record | {"cached": False})))
    write_atomic(Path(f"{artifact}{MANIFEST}"), pretty(manifest))


def main() -> None:
    """Print both times and their ratio; exit status 1 above the aim."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--artifacts", type=int, default=20_000)
    parser.add_argument("--folder", type=Path, default=Path(), help="on the file system to measure")
    args = parser.parse_args()
    spent = {first_release: 0.0, today: 0.0}
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        for start in range(0, args.artifacts, BLOCK):
            for order in spent:
                began = time.monotonic()
                for number in range(start, min(start + BLOCK, args.artifacts)):
                    order(Path(folder) / order.__name__, number)
                spent[order] += time.monotonic() - began
    ratio = spent[today] / spent[first_release]
    text = f"first release {spent[first_release]:.1f} s, today {spent[today]:.1f} s, ratio {ratio:.2f} (aim {AIM})"
    sys.stdout.write(f"{args.artifacts} artifacts of {BYTES} bytes: {text}\n")
    sys.exit(ratio > AIM)


if __name__ == "__main__":
    main()
