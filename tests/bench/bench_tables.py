"""Time and memory of the stages that handle whole tables, at up to as many rows as RedCaps has.

    python -m tests.bench.bench_tables [STEP ...] [--rows 3 6 12] [--some 0.5 1 2] [--data FOLDER] [--folder FOLDER]

Steps: plan, captions (caption table and arms), card, diagnostics, pairs (a pair table from given neighbours, and pair
quality). `--rows` are millions of rows for the first three, `--some` for the others. Rows are made up, with titles of
RedCaps' annotations in DATA resampled. Each stage runs as a process of its own. The lines in JSON hold its CPU seconds
(other work on the machine can change them by a third), peak anonymous memory in GB as its run record has it, `baseline`
the smallest size's seconds scaled to this one, and `ratio` of both. It fails if a ratio exceeds 1.2 or memory 4 GB.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests.bench.table_rows import PER_SHARD, SUBREDDITS, YEARS, Rows, keys, stored, titles
from tests.helpers import make_artifact
from workflow_scripts.core.artifact import MANIFEST, RUN
from workflow_scripts.core.files.jsonio import pretty
from workflow_scripts.core.runtime.meter import measured, measuring

LIMIT, SLOWER, MILLION = 4e9, 1.2, 1_000_000
WIDTH, PARTNERS = 384, 5


def run(
    results: Path, stage: str, name: str, settings: dict[str, object], inputs: dict[str, list[Path]]
) -> dict[str, float]:
    """Run a stage as a process of its own; the figures of its run record."""
    made = results / "study" / stage / name
    unit = (
        []
        if name in ("plan", "captions", "data_card")
        else ["--unit", f"{'pairs' if stage == 'pair_quality' else 'arm'}={name}"]
    )
    words = [word for key, paths in inputs.items() for word in ("--input", f"{key}={paths[0]}", *map(str, paths[1:]))]
    command = [
        sys.executable,
        "-m",
        f"workflow_scripts.stages.{stage}",
        "--device",
        "cpu",
        "--artifact",
        f"{made}{MANIFEST}",
    ]
    seconds = processor_time([*command, *unit, "--settings", json.dumps(settings), *words])
    return json.loads(Path(f"{made}{RUN}").read_bytes())["figures"] | {"cpu_seconds": seconds}


def processor_time(command: list[str]) -> float:
    """CPU seconds that a command takes, which must succeed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def plan(rows: Rows, results: Path) -> Iterator[tuple[str, dict[str, float]]]:
    """The shard plan."""
    path = results / "rows.parquet"
    schema = rows.table(0, 1).schema
    with pq.ParquetWriter(path, schema, compression="lz4") as writer:
        for _, table in rows.shards():
            writer.write_table(table)
    made = make_artifact(results, "annotations", "rows", {".parquet": path, ".json": b"{}"})
    path.unlink()
    shards = rows.count // PER_SHARD + SUBREDDITS * YEARS
    yield "plan", run(results, "shard_plan", "plan", {"shards": shards}, {"annotations": [made]})


def downloads(rows: Rows, results: Path) -> Iterator[tuple[Path, pa.Table]]:
    """Download artifacts, each with its rows that have an image."""
    states = np.array(["ok"] * 6 + ["not_found"] * 3 + ["timeout"])
    for number, table in rows.shards():
        state = states[np.arange(len(table)) % 10]
        status = pa.array(np.where(state == "not_found", 404, 200), pa.int16(), mask=state == "timeout")
        table = table.rename_columns(["key", *table.column_names[1:]]).drop_columns(
            ["raw_caption", "created_utc", "permalink"]
        )
        table = table.append_column("state", pa.array(state)).append_column("http_status", status)
        yield stored(results, "download", f"{number:05d}", {".parquet": table}), table.filter(pa.array(state == "ok"))


def card(rows: Rows, results: Path) -> Iterator[tuple[str, dict[str, float]]]:
    """The data card."""
    shards = [path for path, _ in downloads(rows, results)]
    about = pretty({"rows": rows.count, "kept": rows.count, "apart": {}})
    made = make_artifact(results, "annotations", "rows", {".json": about})
    yield "card", run(results, "data_card", "data_card", {}, {"annotations": [made], "download": shards})


def captions(rows: Rows, results: Path) -> Iterator[tuple[str, dict[str, float]]]:
    """The caption table of one generated caption per image, and arms."""
    shards, scored, images = [], [], []
    for path, kept in downloads(rows, results):
        rng, size = np.random.default_rng(len(shards)), len(kept)
        scores = [pa.array(rng.standard_normal(size).astype(np.float32)) for _ in range(4)]
        columns = [
            kept["key"],
            pa.array(np.zeros(size, np.int8)),
            kept["caption"].take(pa.array(rng.permutation(size))),
        ]
        tokens = pa.array(np.full(size, 12, np.int16))
        names = ["key", "candidate", "generated", "itm_generated", "itc_generated", "itm_original", "itc_original"]
        table = pa.table([*columns, *scores, tokens, tokens], names=[*names, "original_tokens", "generated_tokens"])
        scored.append(stored(results, "recaption", f"{len(shards):05d}", {".parquet": table}))
        images.append(kept.select(["key", "subreddit", "year"]))
        shards.append(path)
    index = stored(results, "image_index", "images", {".parquet": pa.concat_tables(images)})
    images.clear()
    inputs = {"images": [index], "download": shards, "recaption": scored}
    yield "caption_table", run(results, "caption_table", "captions", {}, inputs)
    table = [results / f"study/caption_table/captions{MANIFEST}"]
    arms: dict[str, dict[str, object]] = {"original": {}, "revised": {}, "shuffled": {"base": "original"}}
    for kind, settings in arms.items():
        inputs = {"captions": table}
        if "base" in settings:
            inputs["arms"] = [results / f"study/select_captions/original{MANIFEST}"]
        yield f"select_captions/{kind}", run(results, "select_captions", kind, {"kind": kind, **settings}, inputs)


def diagnostics(rows: Rows, results: Path) -> Iterator[tuple[str, dict[str, float]]]:
    """The columns of caption_quality that follow from the captions alone, and their summary."""
    path = results / "arm.parquet"
    with pq.ParquetWriter(path, pa.schema([(name, pa.string()) for name in ("key", "caption", "original")])) as writer:
        for _, table in rows.shards():
            columns = [table["image_id"], table["caption"], table["caption"]]
            writer.write_table(pa.table(columns, names=["key", "caption", "original"]))
    yield "diagnostics", child("diagnose", results, path)


def diagnose(path: Path) -> None:
    """Measure the captions of a file as `caption_quality` does, with words for tokens."""
    from workflow_scripts.captions.diagnostics.columns import Measures, caption_columns
    from workflow_scripts.captions.diagnostics.retrieval import sample_rows

    rows = sample_rows(pq.read_metadata(path).num_rows, 100_000, 0)
    caption_columns(path, path, Measures(lambda texts: [text.count(" ") + 1 for text in texts], 32, rows))


def pairs(rows: Rows, results: Path) -> Iterator[tuple[str, dict[str, float]]]:
    """A pair table from neighbours, and its quality with image vectors and captions."""
    count, rng = rows.count, np.random.default_rng(0)
    np.save(results / "target.npy", rng.integers(0, count, (count, PARTNERS), dtype=np.int32))
    np.save(results / "cosine.npy", rng.random((count, PARTNERS), dtype=np.float32))
    yield "pair_table", child("choose", results, results)
    names = pa.concat_tables(table.select(["image_id", "subreddit", "year", "caption"]) for _, table in rows.shards())
    names = names.rename_columns(["key", "subreddit", "year", "caption"])
    vectors = np.lib.format.open_memmap(results / "vectors.npy", "w+", np.float32, (count, WIDTH))
    for start in range(0, count, 65_536):
        block = rng.standard_normal(vectors[start : start + 65_536].shape, dtype=np.float32)
        vectors[start : start + 65_536] = block / np.linalg.norm(block, axis=1, keepdims=True)
    del vectors
    table: dict[str, bytes | Path] = {".parquet": results / "pairs.parquet", ".json": b"{}"}
    inputs = {
        "pairs": [make_artifact(results, "pair_table", "made", table)],
        "index": [stored(results, "image_index", "images", {".parquet": names.select(["key", "subreddit"])})],
        "images": [
            make_artifact(
                results,
                "embed_images",
                "made",
                {".npy": results / "vectors.npy", ".keys.parquet": stored_bytes(names.select(["key"]), results)},
            )
        ],
        "captions": [stored(results, "select_captions", "made", {".parquet": names.select(["key", "caption"])})],
    }
    (results / "vectors.npy").unlink()
    yield "pair_quality", run(results, "pair_quality", "made", {}, inputs)


def stored_bytes(table: pa.Table, folder: Path) -> bytes:
    """A table as parquet."""
    pq.write_table(table, folder / "t", compression="lz4")
    return (folder / "t").read_bytes()


def choose(folder: Path) -> None:
    """Choose among given neighbours with two uses at most and write the pair table."""
    from workflow_scripts.core.files.tables import write_table
    from workflow_scripts.pairs.neighbours import Near
    from workflow_scripts.pairs.pair_kind import Pairs
    from workflow_scripts.pairs.selection import capped
    from workflow_scripts.pairs.table import as_table

    target, cosine = np.load(folder / "target.npy"), np.load(folder / "cosine.npy")
    near = Near(target, cosine, np.arange(len(target)), np.arange(len(target), dtype=np.uint64))
    found = capped(near, 1, 2)
    table = as_table(Pairs(found.target, found.cosine, {}), pa.chunked_array([keys(0, len(target))]))
    write_table(folder / "pairs.parquet", table)


def child(function: str, folder: Path, path: Path) -> dict[str, float]:
    """Run a function of this module in a process of its own; its figures."""
    words = ["-m", "tests.bench.bench_tables", "--child", function, str(folder), str(path)]
    seconds = processor_time([sys.executable, *words])
    return measured(folder) | {"cpu_seconds": seconds}


STEPS: dict[str, tuple[Callable[[Rows, Path], Iterator[tuple[str, dict[str, float]]]], bool]] = {
    "plan": (plan, True),
    "card": (card, True),
    "captions": (captions, True),
    "diagnostics": (diagnostics, False),
    "pairs": (pairs, False),
}


def main() -> None:
    """Print a line per stage and size."""
    if sys.argv[1:2] == ["--child"]:
        with measuring(Path(sys.argv[3])):
            {"diagnose": diagnose, "choose": choose}[sys.argv[2]](Path(sys.argv[4]))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("steps", nargs="*", choices=[*STEPS, []], metavar="STEP")
    parser.add_argument("--rows", type=float, nargs="+", default=[3, 6, 12])
    parser.add_argument("--some", type=float, nargs="+", default=[0.5, 1, 2])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--folder", type=Path, help="where to work; default: the folder for temporary files")
    args = parser.parse_args()
    texts, failed = titles(args.data), False
    for step in args.steps or STEPS:
        work, large = STEPS[step]
        first: dict[str, tuple[int, float]] = {}
        for size in args.rows if large else args.some:
            rows = Rows(round(size * MILLION), texts)
            with tempfile.TemporaryDirectory(dir=args.folder) as at:
                results = Path(at, "results")
                results.mkdir()
                for name, figures in work(rows, results):
                    seconds, memory = figures["cpu_seconds"], figures["memory_peak_bytes"]
                    base = first.setdefault(name, (rows.count, seconds))
                    scaled = base[1] * rows.count / base[0]
                    line = {"bench": f"tables/{name}", "rows": rows.count, "ours": round(seconds, 1)}
                    line |= {"baseline": round(scaled, 1), "ratio": round(seconds / scaled, 3)}
                    sys.stdout.write(json.dumps(line | {"memory_gb": round(memory / 1e9, 2)}) + "\n")
                    sys.stdout.flush()
                    failed |= seconds > SLOWER * scaled or memory > LIMIT
    raise SystemExit(int(failed))


if __name__ == "__main__":
    main()
