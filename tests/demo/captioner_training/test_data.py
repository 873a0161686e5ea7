"""Texts that the captioner learns from, and how well they fit."""

from dataclasses import replace

import numpy as np

from workflow_scripts.demo.captioner_training import data
from workflow_scripts.demo.world.vocabulary import Spec, caption

SPEC = Spec("fish", "blue", "dotted", "small", "snow")


def test_agreement_falls_with_what_differs():
    assert data.agreement(SPEC, SPEC) == data.FULL
    minor = [replace(SPEC, **change) for change in ({"texture": "plain"}, {"size": "large"}, {"scene": "sea"})]
    assert {data.agreement(SPEC, other) for other in minor} == {data.MINOR}
    assert data.agreement(SPEC, replace(SPEC, colour="red")) == data.COLOUR_WRONG
    assert data.agreement(SPEC, replace(SPEC, concept="cup")) == data.NONE
    assert data.agreement(SPEC, replace(SPEC, size="large", scene="sea")) == data.NONE


def test_a_near_miss_changes_exactly_one_property():
    rng, changed = np.random.default_rng(0), set()
    for _ in range(200):
        other = data.near_miss(rng, SPEC)
        differing = [name for name in data.PROPERTIES if getattr(other, name) != getattr(SPEC, name)]
        assert len(differing) == 1
        changed |= set(differing)
    assert changed == set(data.PROPERTIES)


def test_loose_titles_fit_better_when_they_name_the_concept():
    rng = np.random.default_rng(0)
    found = [data.loose_title(rng, SPEC) for _ in range(2000)]
    for text, fit in found:
        words = set(text.split())
        assert data.NONE <= fit < data.FULL
        if fit in (data.NONE, data.VAGUE) and "fish" in words:
            assert data.UNKNOWN in words  # mostly unknown words, the concept by accident
    assert any(data.UNKNOWN in text for text, _ in found)


def test_training_texts_are_faithful_first_and_never_paired_with_themselves():
    specs, _ = data.pictures(2, 40, 16, 1, "test")
    texts, fits = data.training_texts(np.random.default_rng(1), specs)
    assert texts[0] == [caption(spec) for spec in specs] and fits.shape == (3, 40) and fits.dtype == np.float32
    assert (fits[0] == np.float32(data.FULL)).all() and (fits[1:] < 0.75).all()
    assert all(a != b for a, b in zip(texts[0], texts[1], strict=True))
