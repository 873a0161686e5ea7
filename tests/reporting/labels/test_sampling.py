"""Which images a label sheet shows."""

from collections import Counter

import numpy as np
import pytest

from workflow_scripts.reporting.labels.sampling import stratified


def test_quintiles_are_equal_and_a_rare_subreddit_comes_before_a_second_image_of_a_common_one() -> None:
    gain = np.arange(1000, dtype=np.float32)
    groups = ["rare" if row % 50 == 0 else "common" for row in range(1000)]
    drawn = stratified(gain, groups, 20, seed=0)
    assert Counter(row // 200 for row in drawn) == dict.fromkeys(range(5), 4)
    pairs = stratified(gain, groups, 10, seed=0)
    assert Counter((row // 200, groups[row]) for row in pairs) == {
        (quintile, group): 1 for quintile in range(5) for group in ("rare", "common")
    }


def test_rows_without_a_difference_are_never_drawn_and_none_is_drawn_twice() -> None:
    gain = np.array([0.0, np.nan, 1.0, np.inf, 2.0], dtype=np.float32)
    assert sorted(stratified(gain, ["a"] * 5, 200, seed=1)) == [0, 2, 4]
    assert stratified(np.full(3, np.nan), ["a"] * 3, 200, seed=1) == []


def test_the_seed_alone_decides() -> None:
    gain, groups = np.zeros(100), ["a"] * 100
    assert stratified(gain, groups, 10, 0) == stratified(gain, groups, 10, 0)
    assert stratified(gain, groups, 10, 0) != stratified(gain, groups, 10, 1)


@pytest.mark.parametrize("first", [0, 1])
def test_equal_differences_are_drawn_from_everywhere(first: int) -> None:
    """Ties are in random order: 100 of 1,000 equal rows are not all from one end."""
    rows = np.array(stratified(np.zeros(1000), ["a"] * 1000, 100, first))
    assert 400 < rows.mean() < 600  # the mean of 100 uniform rows has a deviation of 27
