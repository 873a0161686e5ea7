"""Time, peak memory and sameness of `annotations` and `shard_plan` on as many generated rows as RedCaps has.

    python -m tests.bench.bench_plan [--rows 12000000] [--folder /somewhere/with/20-GB]

A zip in RedCaps' layout is made twice, the files of the second in another order; both stages run on each, as processes
of their own. Both runs must give the same bytes, in at most 2 GB.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

from workflow_scripts.core.files.jsonio import pretty

SUBREDDITS, YEARS, LIMIT = 350, range(2008, 2021), 2e9
WORDS = (
    "a",
    "the",
    "my",
    "our",
    "old",
    "small",
    "red",
    "blue",
    "cat",
    "dog",
    "bread",
    "garden",
    "sunset",
    "bike",
    "found",
    "today",
    "first",
    "made",
    "finally",
    "with",
    "in",
    "on",
)
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def base36(number: int) -> str:
    """Six digits as in Reddit's ids; numbers that follow each other look unlike."""
    number = number * 1_000_003 % 36**6
    return "".join(DIGITS[number // 36**place % 36] for place in range(6))


def sizes(rows: int) -> dict[str, int]:
    """File name -> rows: few subreddits are large, and later years hold more, as in RedCaps."""
    weights = {
        f"sub{number:03d}_{year}": (number + 12) ** -0.8 * 1.35 ** (year - YEARS[0])
        for number in range(SUBREDDITS)
        for year in YEARS
    }
    scale = rows / sum(weights.values())
    return {name: round(weight * scale) for name, weight in weights.items()}


def lines(name: str, first: int, count: int) -> Iterator[str]:
    """The rows of one file as JSON; some have no caption, some the id of the row before."""
    subreddit = name.partition("_")[0]
    rng = random.Random(name)
    titles = [" ".join(rng.choices(WORDS, k=rng.randint(3, 16))) for _ in range(500)]
    for number in range(first, first + count):
        image_id = base36(number - (number % 700 == 0))
        title = "" if number % 300 == 1 else rng.choice(titles)
        yield (
            f'{{"image_id": "{image_id}", "author": "someone", "url": "https://i.redd.it/{image_id}x7q.jpg", '
            f'"raw_caption": "{title.capitalize()} {number}!", "caption": "{title} {number}", '
            f'"subreddit": "{subreddit}", "score": 7, "created_utc": null, '
            f'"permalink": "/r/{subreddit}/comments/{image_id}/{title[:40].replace(" ", "_")}/"}}'
        )


def write(path: Path, wanted: dict[str, int], order: list[str]) -> int:
    """Write the zip with its files in ``order``; gives the number of rows."""
    starts, first = {}, 1
    for name, count in wanted.items():
        starts[name], first = first, first + count
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name in order:
            with archive.open(f"annotations/{name}.json", "w", force_zip64=True) as member:
                member.write(b'{"info": {"year": "2020"}, "annotations": [')
                for place, line in enumerate(lines(name, starts[name], wanted[name])):
                    member.write((line if place == 0 else "," + line).encode())
                member.write(b"]}")
    return first - 1


def run(results: Path, path: Path, shards: int) -> dict[str, dict[str, float]]:
    """Both stages in a results folder of their own: seconds and peak bytes of each."""
    rows, plan = results / "study/annotations/rows", results / "study/shard_plan/plan"
    settings = json.dumps({"shards": shards})
    stages = {
        "annotations": ["--artifact", str(rows), "--settings", "{}", "--source", f"annotations={path}"],
        "shard_plan": ["--artifact", str(plan), "--settings", settings, "--input", f"annotations={rows}.manifest.json"],
    }
    told = {}
    for stage, words in stages.items():
        command = [sys.executable, "-m", f"workflow_scripts.stages.{stage}", "--device", "cpu", *words]
        subprocess.run(command, check=True)
        record = json.loads((results / f"study/{stage}").glob("*.run.json").__next__().read_bytes())
        told[stage] = {name: record[name] for name in ("seconds", "cpu_seconds", "peak_bytes")}
    return told


def main() -> None:
    """Print a table, and fail when the bytes differ or memory is too large."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=12_000_000)
    parser.add_argument("--folder", type=Path, help="where to work; default: the folder for temporary files")
    args = parser.parse_args()
    wanted = sizes(args.rows)
    shuffled = random.Random(1).sample(list(wanted), len(wanted))
    shards = args.rows // 10_000 + len(wanted)
    manifests, peak = [], 0.0
    with tempfile.TemporaryDirectory(dir=args.folder) as place:
        folder = Path(place)
        for number, order in enumerate((list(wanted), shuffled)):
            path = folder / f"{number}.zip"
            start = time.monotonic()
            rows = write(path, wanted, order)
            sys.stdout.write(f"{rows} rows, zip of {path.stat().st_size / 1e6:.0f} MB ")
            sys.stdout.write(f"written in {time.monotonic() - start:.0f} s\n")
            sys.stdout.flush()
            results = folder / f"results{number}"
            for stage, one in run(results, path, shards).items():
                peak = max(peak, one["peak_bytes"])
                sys.stdout.write(f"run {number}: {stage}: {one['seconds']:.0f} s, {one['cpu_seconds']:.0f} s CPU, ")
                sys.stdout.write(f"peak {one['peak_bytes'] / 1e9:.2f} GB\n")
                sys.stdout.flush()
            found = sorted((results / "study").glob("*/*.manifest.json"))
            manifests.append([path.read_bytes() for path in found])
        plan = json.loads(found[-1].read_bytes())
    same = all(one == manifests[0] for one in manifests)
    sys.stdout.write(pretty({"rows": plan["rows"], "same": same, "peak_gb": round(peak / 1e9, 2)}).decode())
    if not same or peak > LIMIT:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
