"""Diagnostics by subreddit: those of each subreddit's pairs alone."""

import numpy as np
import pyarrow as pa
import pytest

from workflow_scripts.pairs.diagnostics.by_subreddit import by_subreddit
from workflow_scripts.pairs.diagnostics.collisions import effective_targets
from workflow_scripts.pairs.key_join import PairRows


def test_each_subreddit_alone() -> None:
    rng = np.random.default_rng(0)
    names = pa.chunked_array([["dogs"] * 30, ["cats"] * 50, ["none"] * 5])
    subreddit = np.array(names.to_pylist())
    source = np.repeat(np.arange(80), 2)
    target = (source + 1 + np.tile([0, 1], 80) + rng.integers(0, 3, 160) * 2) % 85
    pairs, image = PairRows(source, target, np.ones(160, np.float32), 85), rng.random(160)
    rows = by_subreddit(pairs, names, image).to_pylist()
    assert [row["subreddit"] for row in rows] == ["cats", "dogs"]
    for row in rows:
        own = subreddit[source] == row["subreddit"]
        alone = PairRows(source[own], target[own], pairs.cosine[own], 85)
        assert (row["sources"], row["pairs"]) == (own.sum() // 2, own.sum())
        assert row["same_subreddit"] == pytest.approx((subreddit[target[own]] == row["subreddit"]).mean())
        assert row["image_cosine"] == pytest.approx(image[own].mean())
        assert row["effective_targets"] == pytest.approx(effective_targets(alone)["effective_targets"])


def test_no_pairs() -> None:
    none = PairRows(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32), 2)
    assert len(by_subreddit(none, pa.chunked_array([["a", "b"]]), None)) == 0
