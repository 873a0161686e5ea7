"""Loading from a file system whose reads take 5 ms, directly and from copies on the node, against local files.

    python -m tests.bench.bench_staging [--ms 5] [--rounds N] [--processes N]

The slow file system is a library in C (``slow_reads.c``, compiled by cc) that is preloaded and delays reads of one
folder. All sides are measured in one process in turn, with their loader processes; ratios are those of medians of
pairs per second. ``staging.direct`` reads the slow files and ``staging.copied`` copies of them. ``staging.bytes`` are
those that four processes copied which started together, against those of the files: each is copied once. Prints one
JSON line per row, with the ratio by the clock and that of processor time, which other programs disturb less.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from tests.bench.bench_loader import Kind, Rate, ours, photos, rate
from tests.helpers import hashes, make_artifact
from workflow_scripts.core.shards import TarImages
from workflow_scripts.core.stage_in.stage_in import staged

SHIM = Path(__file__).with_name("slow_reads.c")
SHARDS, SLOW = 4, "slow"
KIND = Kind("crop", own=False)
TARGETS = {"staging.direct": 0.9, "staging.copied": 0.95, "staging.bytes": 1.0}


def shards(results: Path, files: list[bytes]) -> TarImages:
    """The photos twice, as other rows, in some shards of a results folder."""
    parts = [files[number::SHARDS] for number in range(SHARDS)]
    tars = [
        make_artifact(results, "download", f"{number:05d}", {".tar": b"".join(part)}).with_name(f"{number:05d}.tar")
        for number, part in enumerate(parts)
    ]
    size = [np.array([len(file) for file in part]) for part in parts]
    offset = [np.cumsum(one) - one for one in size]
    which = np.repeat(np.arange(SHARDS), [len(part) for part in parts])
    digests = hashes([file for part in parts for file in part])
    twice = [np.tile(one, 2) for one in (which, np.concatenate(offset), np.concatenate(size))]
    return TarImages(tars, *twice, np.tile(digests, (2, 1)))


def copied_by(folder: Path, node: Path) -> int:
    """Bytes that a process copied which wants all shards on its node."""
    none = np.zeros(0, np.int64)
    tars = [folder / f"study/download/{number:05d}.tar" for number in range(SHARDS)]
    images = TarImages(tars, none, none, none, np.zeros((0, 16), np.uint8))
    with staged(images, str(node), 10**12, node / "lost", lambda: None) as (_, report):
        return report.copied


def measure(folder: Path, rounds: int, processes: int) -> Iterator[tuple[str, float, float, float]]:
    """Name, our figure and the baseline's of each row, and their ratio by processor time; ``folder`` has a slow one."""
    files = photos()
    slow, local = shards(folder / SLOW, files), shards(folder / "local", files)
    with get_context("fork").Pool(4) as pool:  # while this process has no threads yet
        total = sum(pool.starmap(copied_by, [(folder / SLOW, folder / "node")] * 4))
    yield "staging.bytes", total, sum(tar.stat().st_size for tar in slow.tars), 1.0
    found: dict[str, list[Rate]] = {"local": [], "direct": [], "copied": []}
    with ExitStack() as held:
        near, report = held.enter_context(staged(slow, str(folder), 10**12, folder / "lost", lambda: None))
        assert report.files == SHARDS
        sides = {
            name: held.enter_context(closing(ours(images, KIND, processes)))
            for name, images in zip(found, (local, slow, near), strict=False)
        }
        for _ in range(rounds):
            for name, batches in sides.items():
                found[name].append(rate(batches))
    middle = {name: Rate(*map(statistics.median, zip(*rates, strict=True))) for name, rates in found.items()}
    for name in ("direct", "copied"):
        by_processor = middle[name].processor / middle["local"].processor
        yield f"staging.{name}", middle[name].clock, middle["local"].clock, by_processor


def main(argv: list[str] | None = None) -> None:
    """Measure and print; exit status 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ms", type=float, default=5, help="what each read takes longer")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--processes", type=int, default=1, help="loader processes")
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)  # in the process that has the library
    options = parser.parse_args(argv)
    if options.folder is not None:
        missed = False
        for name, made, baseline, by_processor in measure(options.folder, options.rounds, options.processes):
            row = {"bench": name, "ours": round(made, 1), "baseline": round(baseline, 1)}
            row |= {"ratio": round(made / baseline, 3), "target": TARGETS[name]}
            row |= {"ratio_of_processor_time": round(by_processor, 3)}
            print(json.dumps(row), flush=True)
            missed |= made / baseline < TARGETS[name] or (name == "staging.bytes" and made > baseline)
        sys.exit(missed)
    with tempfile.TemporaryDirectory() as name:
        folder, library = Path(name).resolve(), Path(name, "slow_reads.so")
        subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", library, SHIM, "-ldl"], check=True)
        slow = {"LD_PRELOAD": str(library), "SLOW_FOLDER": str(folder / SLOW), "SLOW_MS": str(options.ms)}
        command = [sys.executable, "-m", "tests.bench.bench_staging", "--folder", str(folder)]
        command += ["--rounds", str(options.rounds), "--processes", str(options.processes)]
        sys.exit(subprocess.run(command, env=os.environ | slow, check=False).returncode)


if __name__ == "__main__":
    main()
