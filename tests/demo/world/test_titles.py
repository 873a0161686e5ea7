"""Titles say as much as their level claims."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workflow_scripts.demo.world.titles import LEVELS, title
from workflow_scripts.demo.world.vocabulary import COLOURS, CONCEPTS, SCENES, SIZES, TEXTURES, Spec, caption

SPECS = st.builds(
    Spec,
    st.sampled_from(CONCEPTS),
    st.sampled_from(list(COLOURS)),
    st.sampled_from(TEXTURES),
    st.sampled_from(SIZES),
    st.sampled_from(list(SCENES)),
)


@settings(max_examples=200, deadline=None)
@given(SPECS, st.integers(0, 2**32), st.sampled_from(LEVELS))
def test_what_a_title_names_follows_from_its_level(spec, seed, level):
    text = title(np.random.default_rng(seed), spec, level)
    words = set(text.replace(",", " ").split())
    named = {"concept": spec.concept in words, "colour": spec.colour in words}
    assert text == text.lower().strip() and text
    if level == "faithful":
        assert text == caption(spec)
    elif level == "partial":
        assert any(named.values()) and not all(named.values())
    elif level == "vague":
        assert not words & {*CONCEPTS, *COLOURS}
    else:
        assert not named["concept"]


@pytest.mark.parametrize("level", ["vague", "wrong", "partial"])
def test_titles_repeat_but_are_many(level):
    spec = Spec("cup", "blue", "plain", "small", "sea")
    texts = [title(np.random.default_rng(seed), spec, level) for seed in range(400)]
    assert 10 < len(set(texts)) < 400
