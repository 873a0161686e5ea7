"""Variety of words and vectors, by counting and in closed form."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import entropy

from workflow_scripts.captions.comparison import variety


@given(st.lists(st.text("ab c", max_size=12), max_size=8))
def test_word_variety_equals_counting(captions: list[str]) -> None:
    found = variety.word_variety(captions, 5)
    for size in (1, 2, 3):
        split = [caption.split() for caption in captions]
        grams = [" ".join(words[i : i + size]) for words in split for i in range(len(words) - size + 1)][:5]
        name = "word_entropy" if size == 1 else f"distinct_{size}"
        if len(grams) < 5:
            assert found[name] is None
        elif size == 1:
            assert found[name] == pytest.approx(entropy(list(Counter(grams).values()), base=2))
        else:
            assert found[name] == len(set(grams)) / 5


def test_vendi_in_closed_form() -> None:
    assert variety.vendi(np.tile([0.6, 0.8], (6, 1))) == pytest.approx(1)
    assert variety.vendi(np.eye(5, 9)) == pytest.approx(5)
    assert variety.vendi(np.repeat(np.eye(3), 4, axis=0)) == pytest.approx(3)  # more rows than width


@pytest.mark.parametrize("shape", [(30, 8), (8, 30)])
def test_vendi_equals_its_definition(shape: tuple[int, int]) -> None:
    vectors = np.random.default_rng(0).normal(size=shape)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    values = np.linalg.eigvals(vectors @ vectors.T / len(vectors)).real
    assert variety.vendi(vectors) == pytest.approx(np.exp(entropy(np.clip(values, 0, None))), rel=1e-6)


def test_near_vectors_equal_comparing_all_pairs() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(40, 3))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    expected = [any(a @ b >= 0.95 for j, b in enumerate(vectors) if i != j) for i, a in enumerate(vectors)]
    assert variety.near_vectors(vectors).tolist() == expected
    assert 0 < sum(expected) < 40


def test_blocks_are_disjoint_and_the_same_for_every_arm() -> None:
    found = variety.blocks(100, 7, 12, 3)
    assert len(found) == 7 and len(set(np.concatenate(found).tolist())) == 84
    assert all((a == b).all() for a, b in zip(found, variety.blocks(100, 7, 12, 3), strict=True))
    assert len(variety.blocks(100, 7, 30, 3)) == 3 and variety.blocks(11, 7, 12, 3) == []
