"""Ranks of the own image, by hand and by the model."""

from pathlib import Path

import numpy as np
from PIL import Image
from scipy.stats import rankdata

from workflow_scripts.captions.diagnostics.retrieval import above_others, image_scores, ranks, sample_rows
from workflow_scripts.models.matcher import itc, load_matcher


def test_ranks_equal_scipy_with_ties() -> None:
    scores = np.random.default_rng(0).integers(0, 5, (40, 40)).astype(float)
    assert ranks(scores).tolist() == [rankdata(-row, method="average")[i] for i, row in enumerate(scores)]
    assert (ranks(np.zeros((9, 9))) == 5).all()


def test_retrieval_ranks_within_a_group_equal_counting() -> None:
    rng = np.random.default_rng(1)
    scores, groups = rng.integers(0, 4, (30, 30)).astype(float), np.array([*rng.integers(0, 3, 29), 7])
    found = above_others(scores, groups)
    for i in range(29):
        others = [scores[i, j] for j in range(30) if j != i and groups[j] == groups[i]]
        expected = np.mean([(np.sign(scores[i, i] - other) + 1) / 2 for other in others])
        assert found[i] == expected
    assert np.isnan(found[29])  # alone in its group
    assert (above_others(np.zeros((4, 4)), np.zeros(4)) == 0.5).all()


def test_sample_is_the_same_for_every_arm() -> None:
    assert sample_rows(1000, 50, 3).tolist() == sample_rows(1000, 50, 3).tolist()
    assert len(set(sample_rows(1000, 50, 3).tolist())) == 50
    assert sample_rows(7, 50, 3).tolist() == list(range(7))


def test_batches_do_not_change_ranks(checkpoints: dict[str, Path], pictures: list[Image.Image]) -> None:
    matcher = load_matcher(checkpoints["matcher"], "cpu", 32)
    texts = ["a red cat", "the dog", "sky", "grass house", "tree", "one", "blue", "big dog on grass", "my photo"]
    rows = np.array([2, 0, 5, 1, 3, 4, 6, 8, 7])
    got = image_scores(matcher, pictures.__getitem__, texts, rows, 4)
    vectors = [matcher.image_vectors(matcher.image_states([pictures[row]])) for row in rows]
    scores = np.array([[float(itc(v, matcher.text_vectors([text]))) for v in vectors] for text in texts])
    assert ranks(got).tolist() == ranks(scores).tolist()
