"""The stage ``pair_quality``."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.file_bytes import parquet
from tests.helpers import make_artifact, run
from tests.stages.captioned import Captioned, blip2_vectors
from workflow_scripts.stages import pair_quality, pair_table


def test_pair_quality_with_captions_images_and_labels(given: Captioned) -> None:
    vectors = blip2_vectors(given).manifest_path
    found = {"vectors": vectors, "truth": []}
    pairs = run(pair_table.STAGE, given.results, "pair_table/visual", {"k": 2}, found).manifest_path
    truth = pa.table({"image_id": [f"k{i}" for i in range(9)], "concept": ["cat", "dog", "cat"] * 3})
    world = make_artifact(given.results, "demo_world", "world", {".truth.parquet": parquet(truth)})
    captions = given.arm("original").manifest_path
    inputs = {"pairs": pairs, "captions": captions, "index": given.index, "images": vectors, "truth": world}
    settings = {"label": "concept"}
    made = run(pair_quality.STAGE, given.results, "pair_quality/visual", settings, inputs)
    table = pq.read_table(made.path(".parquet"))
    summary = json.loads(made.path(".json").read_bytes())
    both = pq.read_table(pairs.with_name("visual.parquet"))
    # Pairs of images by the same vectors: the image cosine is the pair's own.
    assert table["image_cosine"].to_pylist() == pytest.approx(both["cosine"].to_pylist(), abs=1e-6)
    concept = dict(zip(truth["image_id"].to_pylist(), truth["concept"].to_pylist(), strict=True))
    expected = [concept[row["source"]] == concept[row["target"]] for row in both.to_pylist()]
    assert table["same_label"].to_pylist() == expected
    assert summary["same_label"]["value"] == pytest.approx(sum(expected) / len(expected))
    assert summary["image_cosine"]["difference"]["value"] >= 0
    assert summary["negatives"]["batch"] == 9
    assert summary["negatives"]["equal_captions"] == 1  # k0 and k4
    shown = [concept[key] for key in sorted(set(both["source"].to_pylist()))]
    same = sum(one == other for place, one in enumerate(shown) for other in shown[:place])
    assert summary["negatives"]["same_label"] == pytest.approx(same)
    texts = dict(zip(*(pq.read_table(captions.with_name("original.parquet"))[name].to_pylist()
                       for name in ("key", "caption")), strict=True))  # fmt: skip
    shown = [(texts[row["source"]], texts[row["target"]]) for row in both.to_pylist()]
    assert summary["equal_captions"]["value"] == pytest.approx(np.mean([a == b != "" for a, b in shown]))
    near = [len({*a.split()} & {*b.split()}) >= 0.8 * max(len({*a.split()} | {*b.split()}), 0.1) for a, b in shown]
    assert summary["near_copies"]["value"] == pytest.approx(np.mean(near))
    assert 1 <= summary["hubness"]["effective_targets"] <= 9
    assert made.rows["out"] == len(table) == 18
    parts = pq.read_table(made.path(".subreddits.parquet"))
    assert parts["subreddit"].to_pylist() == ["a", "b"]
    assert parts["pairs"].to_pylist() == [10, 8]
    assert made.path(".png").read_bytes().startswith(b"\x89PNG")


def test_pair_quality_without_captions_images_or_labels(given: Captioned) -> None:
    vectors = blip2_vectors(given).manifest_path
    pairs = run(pair_table.STAGE, given.results, "pair_table/one", {}, {"vectors": vectors, "truth": []}).manifest_path
    inputs = {"pairs": pairs, "captions": [], "index": given.index, "images": [], "truth": []}
    made = run(pair_quality.STAGE, given.results, "pair_quality/one", {}, inputs)
    summary = json.loads(made.path(".json").read_bytes())
    assert summary["image_cosine"] is None
    assert summary["same_label"] is summary["negatives"]["equal_captions"] is summary["negatives"]["same_label"] is None
    assert pq.read_table(made.path(".parquet"))["same_label"].null_count == 9
