"""Times of the browser on synthetic rows with real wording, against a linear scan by pyarrow.

    python -m tests.bench.bench_browse REDCAPS.zip [ROWS]

Draws ROWS (1,000,000) captions for each of three arms from RedCaps' annotations, with random scores and pairs, builds
the index, and prints a JSON line per question:

- build: seconds and megabytes of the index, and the peak memory of the process;
- open: of the index with its first page in a running process; of the command from its start to its address, and to its
  first page;
- search and order: the median and the longest of several calls of the page's list, and of a linear scan over the same
  captions and scores in memory that finds the same images.

Seconds are those of the clock; ``cpu`` is the time on processors, which other programs on the machine do not lengthen.
"""

import json
import re
import resource
import subprocess
import sys
import tempfile
import time
import urllib.request
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from PIL import Image

from tests.file_bytes import parquet
from tests.helpers import make_artifact
from tests.stages.captioned import image_index, shard
from workflow_scripts.browse.build import index_of, sources_of
from workflow_scripts.browse.index import Index
from workflow_scripts.browse.pages import list_page
from workflow_scripts.browse.view import View

ARMS = ("original", "generated", "revised")
CALLS = 5
ITM = "original/matcher itm"
VIEWS = {
    "first page": View(),
    "a frequent word": View(q="the"),
    "a frequent word, ordered by a score": View(q="the", score=ITM, order="high"),
    "two words": View(q="red dog"),
    "a rare word": View(q="zebra"),
    "start of a word": View(q="them*"),
    "ordered by a score": View(score=ITM, order="high"),
    "ordered by a difference, one subreddit": View(
        score="generated/matcher itm", versus=ITM, order="far", subreddit="s7", lowest=-0.5
    ),
    "judges that disagree": View(score=ITM, versus="original/matcher itc", order="far"),
    "page 10,000": View(score=ITM, order="low", page=10_000),
    "random": View(order="random"),
}


def wording(path: Path) -> pa.Array:
    """All captions of the annotations."""
    with zipfile.ZipFile(path) as archive:
        files = [name for name in sorted(archive.namelist()) if name.endswith(".json")]
        rows = [row for name in files for row in json.loads(archive.read(name))["annotations"]]
    return pa.array([row["caption"] or "" for row in rows])


def study_of(folder: Path, captions: pa.Array, rows: int) -> Path:
    """A study of ``rows`` images, all of which are the same picture."""
    rng, results = np.random.default_rng(0), folder / "results"
    made, (one,) = shard(results, "00000", [Image.new("RGB", (64, 64), (90, 120, 60))], 0, 0)
    keys = pa.array([f"k{number:07d}" for number in range(rows)])
    subreddits = pa.array([f"s{number}" for number in range(350)]).take(pa.array(rng.integers(0, 350, rows)))
    images = pa.table({"key": keys, "subreddit": subreddits, "year": pa.array(np.full(rows, 2020), pa.int16())})
    place = {"shard": 0, "offset": one["offset"], "size": one["bytes"], "width": 64, "height": 64}
    columns = {name: pa.array(np.full(rows, value), pa.int64()) for name, value in place.items()}
    table = pa.table({**{name: images[name] for name in images.column_names}, **columns})
    table = table.append_column("sha256", pa.array([one["sha256"]]).take(pa.array(np.zeros(rows, np.int64))))
    index = image_index(results, [made], [[one]])
    recorded = json.loads(index.with_name("images.json").read_bytes())
    files = {".parquet": parquet(table), ".json": json.dumps(recorded).encode()}
    make_artifact(results, "image_index", "images", files)
    for arm in ARMS:
        texts = captions.take(pa.array(rng.integers(0, len(captions), rows)))
        scores = {name: pa.array(rng.normal(size=rows).astype(np.float32)) for name in ("itm", "itc")}
        origin = pa.array([arm]).take(pa.array(np.zeros(rows, np.int64)))
        chosen = pa.table({**{name: images[name] for name in images.column_names}, "caption": texts, "origin": origin})
        for name, values in scores.items():
            chosen = chosen.append_column(name, values)
        make_artifact(results, "select_captions", arm, {".parquet": parquet(chosen)}, {"arm": arm})
        target = keys.take(pa.array(rng.integers(0, rows, rows)))
        rank, cosine = pa.array(np.ones(rows, np.int16)), pa.array(rng.random(rows, np.float32))
        pairs = pa.table({"source": keys, "target": target, "rank": rank, "cosine": cosine})
        make_artifact(results, "pair_table", arm, {".parquet": parquet(pairs)}, {"pairs": arm})
    return results / "study"


def scan(tables: dict[str, pa.Table], view: View) -> int:
    """The number of images of a view with words or a score, and its page, found by looking at every row."""
    one = tables["original"]
    wanted = np.ones(len(one), bool)
    if view.q:
        found = np.zeros(len(one), bool)
        for table in tables.values():
            has = np.ones(len(one), bool)
            for word in view.q.split():
                pattern = rf"(?i)\b{re.escape(word.rstrip('*'))}" + ("" if word.endswith("*") else r"\b")
                has &= pc.match_substring_regex(table["caption"], pattern).to_numpy()
            found |= has
        wanted &= found
    if view.subreddit:
        wanted &= pc.equal(one["subreddit"], view.subreddit).to_numpy()
    rows = np.flatnonzero(wanted)
    if view.score:
        values = one["itm"].to_numpy()[rows]
        rows = rows[np.argsort(-values, kind="stable")]
    return len(rows)


def timed(call: Callable[[], object]) -> dict[str, float]:
    """Median and longest milliseconds of several calls, and the median on processors."""
    taken = []
    for _ in range(CALLS):
        start = time.perf_counter(), time.process_time()
        call()
        taken.append(((time.perf_counter() - start[0]) * 1e3, (time.process_time() - start[1]) * 1e3))
    clock, cpu = np.array(taken).T
    return {
        "median_ms": round(np.median(clock), 1),
        "longest_ms": round(clock.max(), 1),
        "cpu_ms": round(np.median(cpu), 1),
    }


def start_of(study: Path) -> dict[str, float]:
    """Seconds from the start of the command to its address and its first page."""
    command = [sys.executable, "-m", "workflow_scripts.commands", "browse", str(study), "--port", "0"]
    begin = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        listening = time.perf_counter() - begin
        with urllib.request.urlopen(address) as answer:
            answer.read()
        shown = time.perf_counter() - begin
        process.terminate()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = round(used.ru_utime + used.ru_stime, 2)
    return {"address_s": round(listening, 2), "first_page_s": round(shown, 2), "command_cpu_s": cpu}


def main() -> None:
    """Print the lines."""
    captions, rows = wording(Path(sys.argv[1])), int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        study = study_of(Path(folder), captions, rows)
        begin = time.perf_counter(), time.process_time()
        built = index_of(sources_of(study))
        taken = {"build_s": round(time.perf_counter() - begin[0], 1), "cpu_s": round(time.process_time() - begin[1], 1)}
        size = sum(path.stat().st_size for path in built.iterdir()) / 1e6
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
        print(
            json.dumps({**taken, "rows": rows, "arms": len(ARMS), "MB": round(size), "peak_MB": round(peak)}),
            flush=True,
        )
        begin = time.perf_counter(), time.process_time()
        index = Index(index_of(sources_of(study)))
        list_page(index, View(), study)
        opened = {"open_s": round(time.perf_counter() - begin[0], 3), "cpu_s": round(time.process_time() - begin[1], 3)}
        print(json.dumps({**opened, **start_of(study)}), flush=True)
        tables = {arm: pq.read_table(study / "select_captions" / f"{arm}.parquet") for arm in ARMS}
        for name, view in VIEWS.items():
            total = index.find(view).total
            line = {"question": name, "images": total, **timed(lambda view=view: list_page(index, view, study))}
            if view.q or (view.score and not view.versus):
                line |= {"scan_images": scan(tables, view), "scan": timed(lambda view=view: scan(tables, view))}
            print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
