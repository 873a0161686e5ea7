"""The report of a pair table, with and without image vectors and labels."""

import numpy as np
import pytest

from workflow_scripts.pairs.diagnostics.quality import Knowledge, judge
from workflow_scripts.pairs.key_join import ImageVectors, PairRows

PAIRS = PairRows(
    np.array([0, 1, 2, 3]), np.array([1, 0, 0, 4]), np.array([1.0, 1.0, 0.5, 0.9], np.float32), 5
)  # fmt: skip
SUBREDDIT = np.array([0, 0, 1, 1, 0])


def in_order(vectors: np.ndarray) -> ImageVectors:
    return ImageVectors(vectors, np.arange(len(vectors)))


def test_figures_without_image_vectors_or_labels_are_null() -> None:
    table, summary, random = judge(PAIRS, Knowledge(PAIRS.count, SUBREDDIT), 512, 0)
    assert table["image_cosine"].null_count == table["same_label"].null_count == 4
    assert summary["image_cosine"] is summary["same_label"] is random is None
    assert table["same_subreddit"].to_pylist() == [True, True, False, False]
    assert table["reciprocal"].to_pylist() == [True, True, False, False]
    assert summary["equal_captions"] is summary["near_copies"] is None
    assert summary["same_subreddit"]["chance"] == pytest.approx((2 / 4 + 2 / 4 + 1 / 4 + 1 / 4) / 4)


def test_copies_of_captions_are_counted_by_pair() -> None:
    copies = np.array([True, False, False, False]), np.array([True, True, True, False])
    found = judge(PAIRS, Knowledge(PAIRS.count, SUBREDDIT, copies=copies), 512, 0)[1]
    assert (found["equal_captions"]["value"], found["near_copies"]["value"]) == (0.25, 0.75)
    assert found["near_copies"]["n"] == 4


def test_purity_leaves_unknown_labels_out() -> None:
    label = np.array([0, 0, 1, -1, 1])
    table, summary, _ = judge(PAIRS, Knowledge(PAIRS.count, SUBREDDIT, label=label), 512, 0)
    assert table["same_label"].to_pylist() == [True, True, False, None]
    assert summary["same_label"]["value"] == pytest.approx(2 / 3)
    assert summary["same_label"]["n"] == 3
    assert summary["same_label"]["chance"] == pytest.approx(1 / 3)


def test_image_cosines_of_pairs_are_compared_with_random_pairs() -> None:
    # Two subreddits, each around a direction of its own; the pairs are the rows of the other subreddit.
    rng = np.random.default_rng(0)
    subreddit = np.repeat([0, 1], 100)
    vectors = (np.eye(8)[subreddit] * 4 + rng.normal(size=(200, 8)) * 0.5).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    source = np.arange(200)
    across = PairRows(source, (source + 100) % 200, np.ones(200, np.float32), 200)
    figures = judge(across, Knowledge(len(subreddit), subreddit, in_order(vectors)), 512, 0)[1]["image_cosine"]
    assert figures["random_in_subreddit"]["value"] > 0.8
    assert figures["difference_in_subreddit"]["high"] < -0.5
    assert figures["false_positives"]["value"] > 0.9  # the median random pair is as often within a subreddit as not
    assert figures["near_duplicates"]["value"] == 0
    assert figures["near_duplicates"]["chance"] == pytest.approx(0.2, abs=0.2)
    assert list(figures["quantiles"].values()) == sorted(figures["quantiles"].values())
    same = PairRows(source, source ^ 1, np.ones(200, np.float32), 200)
    copies = np.repeat(vectors[::2], 2, axis=0)
    figures = judge(same, Knowledge(len(subreddit), subreddit, in_order(copies)), 512, 0)[1]["image_cosine"]
    assert figures["near_duplicates"]["value"] == 1
    assert figures["false_positives"]["value"] == 0


def test_near_duplicates_are_those_from_the_threshold_on() -> None:
    vectors = np.array([[1, 0], [0.95, (1 - 0.95**2) ** 0.5]], np.float32)
    pairs = PairRows(np.array([0, 1]), np.array([1, 0]), np.ones(2, np.float32), 2)
    found = judge(pairs, Knowledge(2, np.zeros(2, np.int64), in_order(vectors)), 512, 0)[1]["image_cosine"]
    assert found["near_duplicates"]["value"] == found["near_duplicates"]["chance"] == 1


def test_no_pairs_at_all() -> None:
    none = PairRows(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32), 5)
    known = Knowledge(
        PAIRS.count, SUBREDDIT, in_order(np.eye(5, dtype=np.float32)), np.zeros(5, np.int64), np.zeros(5, np.int64)
    )
    summary = judge(none, known, 512, 0)[1]
    assert summary["hubness"]["effective_targets"] is None
    assert summary["image_cosine"]["near_duplicates"] == {
        "value": None,
        "low": None,
        "high": None,
        "n": 0,
        "chance": None,
    }
