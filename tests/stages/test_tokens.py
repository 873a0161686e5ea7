"""The stages ``tokenizer`` and ``tokens``."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.file_bytes import parquet
from tests.helpers import make_artifact, run
from tests.models.text.small_clip import reference_ids, save_clip_tokenizer, tokens
from workflow_scripts.core.artifact import Artifact
from workflow_scripts.stages import tokenizer
from workflow_scripts.stages import tokens as token_stage

CAPTIONS = ["a red disc", "", None, " \n", "the red disc there", "42"]


def arm(results: Path) -> Path:
    table = parquet({"key": [f"k{i}" for i in range(len(CAPTIONS))], "caption": CAPTIONS})
    return make_artifact(results, "select_captions", "original", {".parquet": table})


def rows_of(made: Artifact) -> list[list[int]]:
    lengths = pq.read_table(made.path(".parquet"))["tokens"].to_numpy()
    return [part.tolist() for part in np.split(np.load(made.path(".npy")), np.cumsum(lengths)[:-1])]


def test_tokens_of_the_clip_tokenizer_equal_the_reference(results: Path) -> None:
    sources = {"model": save_clip_tokenizer(results / "clip")}
    made = run(tokenizer.STAGE, results, "tokenizer/tokenizer", {"kind": "clip"}, sources=sources)
    inputs = {"captions": arm(results), "tokenizer": made.manifest_path}
    found = run(token_stage.STAGE, results, "tokens/original", {"context": 7}, inputs, {"arm": "original"})
    start, end = len(tokens()) - 2, len(tokens()) - 1
    expected = [[start, *reference_ids(text)[:5], end] if (text or "").strip() else [] for text in CAPTIONS]
    assert rows_of(found) == expected
    assert pq.read_table(found.path(".parquet"))["key"].to_pylist() == [f"k{i}" for i in range(6)]
    assert json.loads(found.path(".json").read_bytes()) == {
        "start": start,
        "end": end,
        "padding": end,
        "vocabulary": len(tokens()),
        "context": 7,
        "captions": 3,
        "truncated": 1,
        "tokens": sum(map(len, expected)),
        "longest": 7,
    }
    assert found.rows == {"in": 6, "out": 3, "dropped": {"no_caption": 3}}


def test_a_trained_tokenizer_knows_the_original_captions(results: Path) -> None:
    table = parquet({"key": ["a", "b", "c"], "original": ["red disc " * 20, None, "red disc"]})
    inputs = {"captions": make_artifact(results, "caption_table", "captions", {".parquet": table})}
    made = run(tokenizer.STAGE, results, "tokenizer/tokenizer", {"vocabulary": 280}, inputs)
    inputs = {"captions": arm(results), "tokenizer": made.manifest_path}
    found = run(token_stage.STAGE, results, "tokens/original", {}, inputs, {"arm": "original"})
    rows = rows_of(found)
    assert [len(row) for row in rows] == [6, 0, 0, 0, len(rows[4]), 5]  # space and "a" are two tokens, " red" is one
    assert {row[0] for row in rows if row} == {1} and {row[-1] for row in rows if row} == {2}


def test_a_vocabulary_size_for_the_clip_tokenizer_is_refused() -> None:
    with pytest.raises(ValueError, match="vocabulary has no effect on a tokenizer of kind clip"):
        tokenizer.Tokenizer(kind="clip", vocabulary=300)
