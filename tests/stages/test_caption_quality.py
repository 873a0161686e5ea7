"""The stage ``caption_quality``."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.file_bytes import parquet
from tests.helpers import Fails, make_artifact, run
from tests.stages.captioned import Captioned
from workflow_scripts.demo.world.vocabulary import WORDINGS
from workflow_scripts.stages import caption_quality


def test_caption_quality_writes_columns_and_a_summary(given: Captioned) -> None:
    inputs = {"captions": given.arm("original").manifest_path, "images": given.index, "table": given.table}
    sources = {"matcher": given.checkpoints["matcher"]}
    settings = {"retrieval_sample": 6, "batch_size": 4}
    made = run(caption_quality.STAGE, given.results, "caption_quality/original", settings, inputs, {}, sources)
    table = pq.read_table(made.path(".parquet"))
    assert len(table) == 9
    assert table["retrieval_rank"].null_count == 3
    assert table["repeats"].to_pylist()[:2] == [2, 1]
    assert "caption" not in table.column_names  # the text stays in one place
    summary = json.loads(made.path(".json").read_bytes())
    assert summary["retrieval"]["n"] == 6
    assert summary["itm"]["all"]["n"] == 8
    assert summary["shares"]["repeated"]["value"] == 2 / 8  # the ninth image has no caption
    assert made.path(".png").read_bytes().startswith(b"\x89PNG")


def test_columns_from_the_labels_of_a_world(given: Captioned) -> None:
    truth = pa.table({"image_id": ["k1", "k3"], "concept": ["dog", "dog"]})
    world = make_artifact(given.results, "demo_world", "world", {".truth.parquet": parquet(truth)})
    inputs = {"captions": given.arm("original").manifest_path, "images": given.index, "table": given.table}
    inputs |= {"truth": world}
    sources = {"matcher": given.checkpoints["matcher"]}
    made = run(caption_quality.STAGE, given.results, "caption_quality/known", {}, inputs, {}, sources)
    table = pq.read_table(made.path(".parquet"))
    assert table["named_objects"].to_pylist() == [None, 1, None, 1, *[None] * 5]  # k1: a cat
    assert table["absent_objects"].to_pylist() == [None, 1, None, 0, *[None] * 5]
    assert set(table["details_kept"].to_pylist()) == {None, 1.0}  # the arm is the reference


def test_objects_of_the_demo_are_known_by_all_their_names(given: Captioned, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(WORDINGS["concept"], "fish", ("fish", "red cat"))
    truth = pa.table({"image_id": ["k1", "k5"], "concept": ["fish", "tree"]})
    world = make_artifact(given.results, "demo_world", "world", {".truth.parquet": parquet(truth)})
    inputs = {"captions": given.arm("original").manifest_path, "images": given.index, "table": given.table}
    sources = {"matcher": given.checkpoints["matcher"]}
    inputs |= {"truth": world}
    made = run(caption_quality.STAGE, given.results, "caption_quality/named", {}, inputs, {}, sources)
    table = pq.read_table(made.path(".parquet"))
    assert table["named_objects"].to_pylist() == [None, 1, None, None, None, 2, *[None] * 3]  # k5: a house with a tree
    assert table["absent_objects"].to_pylist() == [None, 0, None, None, None, 1, *[None] * 3]


def test_objects_can_be_given_by_a_file(given: Captioned, tmp_path: Path, fails: Fails) -> None:
    inputs = {"captions": given.arm("original").manifest_path, "images": given.index, "table": given.table}
    labels, names = tmp_path / "labels.csv", tmp_path / "synonyms.txt"
    labels.write_text("key,label\nk1,dog\nk3,animal\nelsewhere,dog\n")
    names.write_text("animal, dog, cat\n")
    sources = {"matcher": given.checkpoints["matcher"], "objects": labels, "synonyms": names}
    made = run(caption_quality.STAGE, given.results, "caption_quality/labelled", {}, inputs, {}, sources)
    table = pq.read_table(made.path(".parquet"))
    assert table["named_objects"].to_pylist() == [None, 1, None, 1, *[None] * 5]
    assert table["absent_objects"].to_pylist() == [None, 1, None, 0, *[None] * 5]  # k1: a cat; k3: a dog, an animal
    summary = json.loads(made.path(".json").read_bytes())
    assert (summary["absent_objects"]["value"], summary["absent_objects"]["n"]) == (0.5, 2)
    assert (summary["with_absent_object"]["value"], summary["with_absent_object"]["n"]) == (0.5, 2)
    labels.write_text("key,label\n1,dog\n")
    with fails("error: no labels for images in", "such as k0"):
        run(caption_quality.STAGE, given.results, "caption_quality/other", {}, inputs, {}, sources)


def test_captions_of_another_image_index_are_an_error(given: Captioned, fails: Fails) -> None:
    arm = pq.read_table(given.arm("original").path(".parquet"))
    odd = make_artifact(given.results, "select_captions", "odd", {".parquet": parquet(arm.slice(1))})
    sources = {"matcher": given.checkpoints["matcher"]}
    with fails("error: captions not in index order in"):
        inputs = {"captions": odd, "images": given.index, "table": given.table}
        run(caption_quality.STAGE, given.results, "caption_quality/odd", {}, inputs, {}, sources)


def test_without_a_matcher_nothing_is_scored(given: Captioned) -> None:
    inputs = {"captions": given.arm("original").manifest_path, "images": given.index, "table": given.table}
    made = run(caption_quality.STAGE, given.results, "caption_quality/unmatched", {"retrieval_sample": 6}, inputs)
    table, summary = pq.read_table(made.path(".parquet")), json.loads(made.path(".json").read_bytes())
    unknown = ("tokens", "truncated", "retrieval_rank", "above_random", "above_subreddit")
    assert [table[name].null_count for name in unknown] == [9] * 5
    assert (summary["retrieval"], summary["shares"]["truncated"]["n"], summary["words"]["n"]) == ({"n": 0}, 0, 8)
