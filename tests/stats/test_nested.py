import numpy as np
import pytest

from workflow_scripts.stats import nested

LABELS = np.array([3, 0, 0, 3, 3, 8, 0])
SIZES = {0: 3, 3: 3, 8: 1}


def test_classes_are_drawn_then_their_items(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nested, "CELLS", 70)  # several blocks
    blocks = list(nested.nested_weights(LABELS, 6000, 1))
    assert {block.shape for block in blocks} == {(10, 7)}
    weights = np.concatenate(blocks)
    assert weights.shape == (6000, 7)
    drawn = {one: weights[:, one == LABELS].sum(axis=1) / size for one, size in SIZES.items()}
    assert sum(drawn.values()) == pytest.approx(np.full(6000, 3))  # as many classes as there are
    for times in drawn.values():  # binomial with 3 trials of 1/3
        assert times.mean() == pytest.approx(1, abs=0.05) and times.var() == pytest.approx(2 / 3, abs=0.05)
    # An item of a class drawn once is drawn as in a plain bootstrap of three.
    once = weights[:, LABELS == 0][drawn[0] == 1]
    assert once.var(axis=0) == pytest.approx(np.full(3, 2 / 3), abs=0.06)


@pytest.mark.parametrize("per_class", [False, True])
def test_means_are_those_of_the_drawn_items(per_class: bool) -> None:
    values = np.random.default_rng(0).normal(size=(7, 2))
    shares = np.array([1 / SIZES[one] for one in LABELS]) if per_class else np.ones(7)
    found = nested.nested_means(values, LABELS, shares, 50, 4)
    for weights, row in zip(np.concatenate(list(nested.nested_weights(LABELS, 50, 4))), found, strict=True):
        items = np.repeat(np.arange(7), weights.astype(int))
        assert row == pytest.approx(np.average(values[items], axis=0, weights=shares[items]), abs=1e-5)


def test_the_variance_of_a_mean_is_that_of_classes_and_items() -> None:
    """Closed form for equal classes: that of the class means, plus within classes, each over the number of items."""
    rng = np.random.default_rng(2)
    labels = np.arange(40).repeat(25)
    values = rng.normal(size=1000) + rng.normal(0, 1, 40)[labels]
    groups = values.reshape(40, 25)
    expected = groups.mean(axis=1).var() / 40 + groups.var(axis=1).mean() / 1000
    found = nested.nested_means(values[:, None], labels, np.ones(1000), 6000, 0)
    assert found.var() == pytest.approx(expected, rel=0.07)


def test_crossed_with_seeds_the_variances_of_both_add() -> None:
    rng = np.random.default_rng(5)
    seeds, labels = 12, np.arange(30).repeat(20)
    values = rng.normal(size=(seeds, 600)) + rng.normal(0, 0.5, (seeds, 1)) + rng.normal(0, 1, 30)[labels]
    both = np.stack([values, np.full_like(values, 2.0)], axis=-1)
    found = nested.crossed_bootstrap(both, labels, lambda m: m[:, 0] / m[:, 1], 6000, 0)
    by_item = nested.nested_means(values.mean(axis=0)[:, None], labels, np.ones(600), 6000, 0).var()
    by_seed = values.mean(axis=1).var() / seeds
    rest = (values - values.mean(axis=1)[:, None] - values.mean(axis=0) + values.mean()).var() / values.size
    assert found.mean() == pytest.approx(values.mean() / 2, abs=0.02)
    assert 4 * found.var() == pytest.approx(by_item + by_seed + rest, rel=0.1)
