"""The images that a network learned from, itself and by the networks behind its pairs."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tests.file_bytes import parquet
from tests.helpers import make_artifact
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.record import Loaded
from workflow_scripts.export.run import learned_keys
from workflow_scripts.provenance.nodes import Node, read_node

SIMCLR = {"method": "simclr", "augmentation": "crop", "steps": 9, "warmup_steps": 0}


def run(results: Path, name: str, settings: dict[str, Any], inputs: dict[str, Path]) -> Node:
    made = make_artifact(results, "pretrain", name, {})
    named = {role: [str(path)] for role, path in inputs.items()}
    record = {"stage": "pretrain", "settings": settings, "inputs": named, "input_files": named}
    return replace(read_node(made), record_file=Loaded(b"", json.loads(json.dumps(record))))


def test_images_of_an_encoders_run_are_included(results: Path) -> None:
    table = {"images": {"key": [*"abcdef"]}, "common": {"key": [*"ef"]}}
    pairs = {"source": ["a", "b"], "target": ["b", "d"], "rank": np.ones(2, np.int16)}
    images, common, paired = (
        make_artifact(results, stage, "x", {".parquet": parquet(pa.table(columns))})
        for stage, columns in (*table.items(), ("pair_table", pairs))
    )
    encoder = run(results, "encoder", SIMCLR | {"pairs": "self"}, {"images": images, "common": common})
    untrained = {"method": "untrained", "augmentation": "none", "pairs": "none", "steps": 0}
    other = run(results, "other", untrained, {"images": images})
    own = run(results, "own", SIMCLR | {"pairs": "visual"}, {"images": images, "pairs": paired})
    assert learned_keys({one.path: one for one in (own, other)}) == [*"abd"]
    assert learned_keys({one.path: one for one in (own, other, encoder)}) == [*"abdef"]


def test_images_without_a_caption_are_left_out_as_in_training(results: Path) -> None:
    tables = {
        "image_index": {"key": [*"abcd"]},
        "tokens": {"key": [*"abc"], "tokens": np.array([4, 0, 3], np.int32)},
        "select_captions": {"key": [*"abcd"], "caption": ["one", " ", None, "two"]},
        "pair_table": {"source": [*"abd"], "target": [*"bca"], "rank": np.ones(3, np.int16)},
    }
    images, tokens, captions, pairs = (
        make_artifact(results, stage, "x", {".parquet": parquet(pa.table(columns))})
        for stage, columns in tables.items()
    )
    clip = run(results, "clip", SIMCLR | {"method": "clip", "pairs": "caption"}, {"images": images, "tokens": tokens})
    assert learned_keys({clip.path: clip}) == [*"ac"]
    several = SIMCLR | {"method": "multi_positive", "pairs": "language"}
    inputs = {"images": images, "captions": captions, "pairs": pairs}
    positive = run(results, "positive", several, inputs)
    assert learned_keys({positive.path: positive}) == [*"abd"], "b is the partner of a"


@pytest.mark.parametrize(
    ("method", "said"),
    [({"method": "swav", "steps": 100}, "frozen_steps is 2503"), ({"clip": {"temperature": 0.005}}, "equal to 0.01")],
)
def test_a_run_with_settings_that_are_refused_now_is_named(results: Path, method: dict[str, Any], said: str) -> None:
    old = run(results, "old", SIMCLR | {"pairs": "self"} | method, {})
    with pytest.raises(PipelineError, match=rf"settings that are refused now in .*old.*: .*{said}.*; export it with"):
        learned_keys({old.path: old})
