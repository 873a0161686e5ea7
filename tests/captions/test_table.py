"""Shards gathered in index order, and every mismatch an error."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from workflow_scripts.captions.recaptioning.shard import SCHEMA
from workflow_scripts.captions.table import TABLE, gather
from workflow_scripts.core.errors import PipelineError

WHERE = Path("images.manifest.json")


def scored(keys: list[str], candidates: int) -> pa.Table:
    """recaption rows whose values spell key and candidate."""
    rows = [(key, j) for key in keys for j in range(candidates)]
    number = [10.0 * keys.index(key) + j for key, j in rows]
    original = [float(keys.index(key)) for key, _ in rows]
    columns = [
        [key for key, _ in rows], [j for _, j in rows], [f"{key}-{j}" for key, j in rows], number, number,
        original, original, [int(x) for x in original], [int(x) for x in number],
    ]  # fmt: skip
    return pa.table([pa.array(c, f.type) for c, f in zip(columns, SCHEMA, strict=True)], schema=SCHEMA)


def index(keys: list[str]) -> pa.Table:
    return pa.table({"key": keys, "subreddit": ["s"] * len(keys), "year": pa.array([2020] * len(keys), pa.int16())})


def originals(keys: list[str]) -> pa.Table:
    return pa.table({"key": keys, "caption": [f"of {key}" for key in keys]})


@pytest.mark.parametrize("candidates", [1, 3])
def test_rows_follow_the_index(candidates: int) -> None:
    keys = ["d", "b", "a", "c"]
    shards = pa.concat_tables([scored(["a", "b"], candidates), scored(["c", "d"], candidates)])
    table = gather(index(keys), shards, originals(["x", *sorted(keys)]), WHERE)
    assert table["key"].to_pylist() == keys
    assert table["original"].to_pylist() == [f"of {key}" for key in keys]
    assert table["generated"].to_pylist() == [[f"{key}-{j}" for j in range(candidates)] for key in keys]
    place = {"a": 0, "b": 1, "c": 0, "d": 1}
    assert table["itm_original"].to_pylist() == [place[key] for key in keys]
    assert table["itm_generated"].to_pylist() == [[10 * place[k] + j for j in range(candidates)] for k in keys]
    assert np.array(table["generated_tokens"].to_pylist()).shape == (4, candidates)


def test_gathering_no_rows_gives_an_empty_table() -> None:
    none = pa.table({"key": pa.array([], pa.string()), "caption": pa.array([], pa.string())})
    fields = [("key", pa.string()), ("subreddit", pa.string()), ("year", pa.int16())]
    assert len(gather(pa.schema(fields).empty_table(), SCHEMA.empty_table(), none, WHERE)) == 0


@pytest.mark.parametrize(
    ("keys", "shard", "original", "message"),
    [
        (["a", "b"], ["a"], ["a", "b"], "scored images differ"),
        (["a", "b"], ["a", "c"], ["a", "b"], "image without scores in .*the first is b"),
        (["a", "b"], ["a", "b"], ["a"], "without original caption in .*the first is b"),
    ],
)
def test_mismatched_images_are_an_error(keys: list[str], shard: list[str], original: list[str], message: str) -> None:
    with pytest.raises(PipelineError, match=message):
        gather(index(keys), scored(shard, 1), originals(original), WHERE)


def test_without_generated_captions_there_are_no_candidates_and_no_scores() -> None:
    table = gather(index(["b", "a"]), None, originals(["a", "b"]), WHERE)
    assert table.schema == TABLE
    none = {"generated": [], "itm_generated": [], "itc_generated": [], "generated_tokens": []}
    none |= {"itm_original": None, "itc_original": None, "original_tokens": None}
    of = {key: {"key": key, "subreddit": "s", "year": 2020, "original": f"of {key}", **none} for key in "ab"}
    assert table.to_pylist() == [of["b"], of["a"]]
