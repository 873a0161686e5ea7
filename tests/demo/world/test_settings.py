"""Scenes, colours and captions: what is set is what is drawn and said."""

import hashlib
from typing import get_args

import numpy as np
import pytest
from pydantic import ValidationError

from tests.demo.captions import caption_of
from workflow_scripts.demo.world.feed import post
from workflow_scripts.demo.world.settings import DEFAULT, LABELS, ColourName, SceneName, World
from workflow_scripts.demo.world.texts import OTHERS, Style, title_of
from workflow_scripts.demo.world.vocabulary import COLOURS, SCENES, SIZES, WORDINGS, named, spec_of
from workflow_scripts.demo.world.world import OBJECT, scene_of

FEW = World(scenes=("sand", "night"), colours=("red", "blue", "white"))


def drawn(world, count=240):
    """Specs and object masks (count, 48, 48) bool."""
    found = [scene_of(2, "masks", index, 48, world) for index in range(count)]
    return [spec for spec, _, _ in found], np.stack([mask == OBJECT for _, _, mask in found])


def test_names_in_configs_are_those_of_the_vocabulary():
    assert get_args(SceneName) == SCENES and get_args(ColourName) == tuple(COLOURS) == tuple(WORDINGS["colour"])
    assert tuple(WORDINGS) == LABELS


def test_the_default_world_keeps_its_bytes():
    pictures, texts = hashlib.sha256(), hashlib.sha256()
    for split in ("post", "masks"):
        for index in range(24):
            spec, picture, mask = scene_of(3, split, index)
            pictures.update(repr(spec).encode() + picture.tobytes() + mask.tobytes())
    for index in range(200):
        texts.update(f"{post(3, 'post', index, 16).caption}\n{caption_of(3, 'post', index).text}\n".encode())
    assert pictures.hexdigest() == "95123c2e858d4fb12b0ec1eac99723fae339beef19218edeebd1fe355890350b"
    assert texts.hexdigest() == "86e8a322e9b3b2805343ad7afcdb11a0bd48ed171c22ebc2bdbaee2166f8aefb"


def test_only_the_chosen_scenes_and_colours_occur_and_evenly():
    specs, _ = drawn(FEW)
    for name, values in (("scene", FEW.scenes), ("colour", FEW.colours), ("size", SIZES)):
        shares = {value: np.mean([getattr(spec, name) == value for spec in specs]) for value in values}
        assert sum(shares.values()) == pytest.approx(1), "nothing else occurs"
        assert all(share == pytest.approx(1 / len(values), abs=0.08) for share in shares.values()), shares


def test_texts_name_only_the_chosen_scenes_and_colours():
    told = [caption_of(5, "post", index, FEW).text for index in range(400)]
    told += [title_of(5, "post", index, "petsandpals", FEW)[1].text for index in range(800)]
    found = [named(text) for text in told]
    assert set().union(*(one["colour"] for one in found)) == set(FEW.colours)
    assert set().union(*(one["scene"] for one in found)) == set(FEW.scenes)


def test_captions_name_as_many_properties_and_are_wrong_as_often_as_set():
    for shares, wrong_concept, wrong_property in (((0, 0.2, 0.6, 0.2), 0.02, 0.1), ((0.5, 0, 0, 0, 0, 0.5), 0.5, 0.25)):
        style = Style(shares, wrong_concept, wrong_property)
        texts = [caption_of(1, "post", index, style=style) for index in range(1200)]
        wrong = [text.wrong(spec_of(1, "post", index)) for index, text in enumerate(texts)]
        assert all("concept" in text.told for text in texts)
        counts = np.bincount([len(text.told) - 1 for text in texts], minlength=len(shares)) / len(texts)
        np.testing.assert_allclose(counts, shares, atol=0.05)
        assert np.mean(["concept" in names for names in wrong]) == pytest.approx(wrong_concept, abs=0.04)
        others = sum(len(text.told) - 1 for text in texts)
        found = sum(name != "concept" for names in wrong for name in names) / others
        assert found == pytest.approx(wrong_property, abs=0.03)
        uses = [sum(name in text.told for text in texts) / others for name in OTHERS]
        np.testing.assert_allclose(uses, 1 / len(OTHERS), atol=0.04)


def test_large_objects_are_larger():
    specs, masks = drawn(DEFAULT)
    small, large = (masks[[spec.size == size for spec in specs]].mean() for size in SIZES)
    assert masks.mean() == pytest.approx(0.237, abs=0.01) and large > 1.5 * small


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scenes": ("grass", "moon")}, "'grass', 'sand', 'snow', 'sea', 'night' or 'street'"),
        ({"scenes": ("grass",)}, "at least 2 items"),
        ({"scenes": ("sea", "sand", "sea")}, "scenes names a value twice: sea, sand, sea"),
        ({"colours": ("red", "black")}, "'red', 'orange'"),
        ({"colours": ("red",)}, "at least 2 items"),
        ({"colours": ("red", "red")}, "colours names a value twice: red, red"),
    ],
)
def test_invalid_world_settings_are_refused(change, message):
    with pytest.raises(ValidationError, match=message):
        World(**change)
