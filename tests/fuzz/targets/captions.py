"""Files of captions that users bring: parquet, CSV and JSON."""

import random
from pathlib import Path

import pyarrow as pa

from tests.fuzz.mutate import TEXTS, json_text, mutate_bytes, mutate_tree
from tests.fuzz.parquet_files import parquet
from tests.fuzz.target import Files, Target
from workflow_scripts.captions.arm_kind import ArmInputs
from workflow_scripts.captions.arms.external import External, select

KEYS = [f"k{number}" for number in range(6)]
TABLE = pa.table(
    {"key": KEYS, "subreddit": ["pics"] * 6, "year": pa.array([2019] * 6, pa.int16()), "original": ["a"] * 6}
)


class Fuzzed(Target):
    """Files with the right columns or fields, with others, and none of them."""

    def make(self, rng: random.Random) -> Files:
        """One file."""
        way = rng.randrange(4)
        if way == 0:
            return {"table": parquet({"key": KEYS, "caption": ["a dog"] * 6}, rng)}
        if way == 1:
            return {"table": parquet({"key": KEYS, "caption": [["a dog", "a cat"]] * 6}, rng)}
        return {"table": _csv(rng) if way == 2 else _json(rng)}

    def run(self, folder: Path) -> str:
        """As the arm of kind external reads it."""
        path = folder / "table"
        arm = select(ArmInputs(TABLE, file=path), External(max_missing_share=1.0))
        assert arm["key"] == TABLE["key"] and arm["caption"].null_count == 0
        return "accepted"


def _csv(rng: random.Random) -> bytes:
    ends, between = rng.choice(("\n", "\r\n", "\r")), rng.choice((",", ",", ",", ";", "\t"))
    lines = [between.join(rng.choice((("key", "caption"), ("caption", "key", "more"), ("a", "b"), ("key", "key"))))]
    for key in KEYS[: rng.choice((0, 1, 6, 6))]:
        caption = rng.choice(("a dog", "NA", '"a, b"', '"a ""b"""', '"a\nb"', '"open', *TEXTS))
        lines.append(between.join((key, caption) if rng.random() < 0.9 else (key,)))
    data = ends.join(lines).encode(rng.choice(("utf-8", "utf-8", "latin-1", "utf-16")), errors="replace")
    return mutate_bytes(data, rng) if rng.random() < 0.4 else data


def _json(rng: random.Random) -> bytes:
    rows = [{"key": key, "caption": rng.choice((["a dog", "a cat"], "a dog", None))} for key in KEYS]
    trees = [rows, {key: rng.choice(TEXTS) for key in KEYS}, {"info": {}, "images": [{"id": 1}], "annotations": rows}]
    tree = rng.choice((*trees, None))
    if tree is None:
        data = b"\n".join(json_text(mutate_tree(row, rng) if rng.random() < 0.2 else row, rng) for row in rows)
    else:
        data = json_text(mutate_tree(tree, rng) if rng.random() < 0.6 else tree, rng)
    return mutate_bytes(data, rng) if rng.random() < 0.3 else data
