"""Shuffles: no image gets its own caption or an equal one, groups stay apart, doses are exact and nested."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow_scripts.captions.derange import derange, faithful_rows, mix
from workflow_scripts.stats.seeds import derive

TEXTS = st.lists(st.integers(0, 6), min_size=1, max_size=60).map(lambda x: np.array(x, dtype=np.int64))
IMAGES = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 4)), min_size=1, max_size=60).map(
    lambda x: tuple(np.array(column, dtype=np.int64) for column in zip(*x, strict=True))
)
SEEDS = st.integers(0, 1000)


def one_group(texts: np.ndarray) -> np.ndarray:
    return np.zeros(len(texts), dtype=np.int64)


@given(IMAGES, SEEDS)
def test_no_image_gets_an_equal_caption_unless_unavoidable(images: tuple[np.ndarray, np.ndarray], seed: int) -> None:
    texts, groups = images
    source = derange(texts, groups, seed)
    used = source[source >= 0]
    assert len(set(used)) == len(used)
    assert (groups[used] == groups[source >= 0]).all() and (texts[used] != texts[source >= 0]).all()
    for group in set(groups):
        inside = groups == group
        largest = max(Counter(texts[inside].tolist()).values())
        assert (source[inside] < 0).sum() == max(0, 2 * largest - inside.sum())


@given(IMAGES, SEEDS)
def test_derange_orders_by_group_then_text_then_random_number(images: tuple[np.ndarray, np.ndarray], seed: int) -> None:
    texts, groups = (column.tolist() for column in images)
    rng = np.random.default_rng(derive(seed, "derange"))
    pairs = list(zip(groups, texts, strict=True))
    place = dict(zip(sorted(set(pairs)), rng.permutation(len(set(pairs))).tolist(), strict=True))
    number = rng.permutation(len(pairs)).tolist()
    expected = [-1] * len(pairs)
    for group in set(groups):
        inside = [row for row in range(len(pairs)) if groups[row] == group]
        order = sorted(inside, key=lambda row: (place[pairs[row]], number[row]))
        most = max(Counter(pairs[row] for row in inside).values())
        for at, row in enumerate(order):
            source = order[(at + (most if most < len(order) else 1)) % len(order)]
            expected[row] = source if texts[source] != texts[row] else -1
    assert derange(*images, seed).tolist() == expected


@given(TEXTS, SEEDS)
def test_a_group_is_rotated_by_the_count_of_its_most_frequent_text(texts: np.ndarray, seed: int) -> None:
    """The images in an order with equal texts side by side: each gets the caption m places on."""
    source = derange(texts, one_group(texts), seed)
    if (source >= 0).all():
        follows = dict(enumerate(source.tolist()))
        assert sorted(follows.values()) == sorted(follows)
        largest = max(Counter(texts.tolist()).values())
        lengths = set()
        for start in follows:
            at, length = follows[start], 1
            while at != start:
                at, length = follows[at], length + 1
            lengths.add(length)
        assert lengths == {len(texts) // np.gcd(len(texts), largest)}


@pytest.mark.parametrize("before", [0, 3])
def test_every_partner_is_about_equally_likely(before: int) -> None:
    """Also where the group is not the first one."""
    texts = np.array([*range(before), 0, 1, 2, 3, 4, 4])
    groups = np.array([*[0] * before, *[1] * 6])
    seen = Counter(int(derange(texts, groups, seed)[before]) - before for seed in range(3000))
    assert set(seen) == {1, 2, 3, 4, 5}
    assert max(seen.values()) < 2 * min(seen.values())


@given(IMAGES, st.floats(0, 1), SEEDS)
def test_mix_keeps_exactly_its_share(images: tuple[np.ndarray, np.ndarray], share: float, seed: int) -> None:
    texts, groups = images
    source = mix(texts, groups, share, seed)
    own = source == np.arange(len(texts))
    assert own.sum() == int(share * len(texts) + 0.5)
    assert (own == faithful_rows(len(texts), share, seed)).all()
    for image in np.flatnonzero(~own):
        others = (groups == groups[image]) & (texts != texts[image])
        unfaithful = (groups == groups[image]) & ~own
        if source[image] >= 0:
            assert others[source[image]] and (own[source[image]] == (unfaithful.sum() == 1))
        elif unfaithful.sum() == 1:
            assert not others.any()
    exchanged = source[(source >= 0) & ~own]
    exchanged = exchanged[~own[exchanged]]
    assert len(set(exchanged)) == len(exchanged)


@given(st.integers(1, 200), st.floats(0, 1), st.floats(0, 1), SEEDS)
def test_faithful_rows_of_a_lower_dose_are_contained_in_a_higher_dose(
    count: int, one: float, other: float, seed: int
) -> None:
    low, high = sorted((one, other))
    assert not (faithful_rows(count, low, seed) & ~faithful_rows(count, high, seed)).any()
