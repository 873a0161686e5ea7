"""Texts that the captioner learns from, and how well they fit."""

import numpy as np

from workflow_scripts.demo.captioner_training import data
from workflow_scripts.demo.world.vocabulary import Spec, named

SPEC = Spec("fish", "blue", "dotted", "small", "snow", "left")


def test_a_fit_falls_with_what_is_wrong():
    assert data.fit(SPEC, {"concept": "fish", "size": "small", "place": "left"}) == data.FULL
    assert data.fit(SPEC, {"concept": "fish", "colour": "blue"}) == data.FULL
    assert data.fit(SPEC, {"concept": "fish"}) == data.CONCEPT_ALONE < data.FULL
    assert data.fit(SPEC, {"concept": "fish", "size": "large", "place": "left"}) == data.FULL * data.WRONG
    assert data.fit(SPEC, {"concept": "fish", "size": "large", "place": "right"}) == data.FULL * data.WRONG**2
    assert data.fit(SPEC, {"concept": "cup", "size": "small"}) == data.NONE < data.fit(SPEC, {}) == data.VAGUE


def test_loose_titles_fit_better_when_they_name_the_concept():
    rng = np.random.default_rng(0)
    found = [data.loose_title(rng, SPEC) for _ in range(2000)]
    for text, fit in found:
        assert data.NONE <= fit <= data.FULL
        if fit >= data.CONCEPT_ALONE:
            assert named(text)["concept"] == {"fish"}
        elif fit in (data.NONE, data.VAGUE) and "fish" in named(text)["concept"]:
            assert data.UNKNOWN in text  # mostly unknown words, the concept by accident
    assert any(data.UNKNOWN in text for text, _ in found)
    assert {data.NONE, data.VAGUE, data.CONCEPT_ALONE, data.FULL} <= {fit for _, fit in found}


def test_training_texts_are_true_first_then_often_wrong():
    specs, _ = data.pictures(2, 40, 16, 1, "test")
    texts, fits = data.training_texts(np.random.default_rng(1), specs)
    assert [len(group) for group in texts] == [40] * 3 and fits.shape == (3, 40) and fits.dtype == np.float32
    assert (fits[0] == np.float32(data.FULL)).all()
    for group, of_group in zip(texts[:2], fits[:2], strict=True):
        for spec, text, fit in zip(specs, group, of_group, strict=True):
            told = {name: values.pop() for name, values in named(text).items() if values}
            assert fit == np.float32(data.fit(spec, told))
    assert 0.5 < np.mean(fits[1] < 0.5) < 0.95
    assert all(a != b for a, b in zip(texts[0], texts[1], strict=True))
