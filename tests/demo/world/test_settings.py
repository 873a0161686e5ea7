"""Scenes, colours, and the size and place of objects: what is set is what is drawn and said."""

import hashlib
from typing import get_args

import numpy as np
import pytest
from pydantic import ValidationError

from workflow_scripts.demo.world.feed import post
from workflow_scripts.demo.world.settings import FULL, ColourName, SceneName, World
from workflow_scripts.demo.world.vocabulary import COLOURS, LEVELS, SCENES, SIZES, title
from workflow_scripts.demo.world.world import OBJECT, scene_of

FEW = World(
    scenes=("sand", "night"),
    colours=("red", "blue", "white"),
    small_extent=(0.46, 0.54),
    large_extent=(0.66, 0.76),
    offset=0.22,
)


def drawn(world, count=240):
    """Specs and object masks (count, 48, 48) bool."""
    found = [scene_of(2, "masks", index, 48, world) for index in range(count)]
    return [spec for spec, _, _ in found], np.stack([mask == OBJECT for _, _, mask in found])


def centres(masks):
    """(n, 2): middle of each object's bounding box, relative to the image's, in sides of the image; y before x."""
    found = []
    for mask in masks:
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        found.append([(rows[0] + rows[-1] + 1) / 2, (columns[0] + columns[-1] + 1) / 2])
    return np.array(found) / masks.shape[1] - 0.5


def test_the_full_world_has_every_scene_and_colour():
    assert get_args(SceneName) == tuple(SCENES) == FULL.scenes
    assert get_args(ColourName) == tuple(COLOURS) == FULL.colours


def test_the_default_world_keeps_its_bytes():
    """The hashes are those of the world before it had settings."""
    pictures, captions = hashlib.sha256(), hashlib.sha256()
    for split in ("post", "masks"):
        for index in range(24):
            spec, picture, mask = scene_of(3, split, index)
            pictures.update(repr(spec).encode() + picture.tobytes() + mask.tobytes())
    for index in range(200):
        captions.update(post(3, "post", index, 16).caption.encode() + b"\n")
    assert pictures.hexdigest() == "64b6b280a954c79e76c9df283a2d5f8f4a8e5cf0b4ad80f66256c2f06a51a9aa"
    assert captions.hexdigest() == "8eade63b01a8876acc631287639cf86e87d075243cdf6cb7a5050691936e7f9f"


def test_only_the_chosen_scenes_and_colours_occur_and_evenly():
    specs, _ = drawn(FEW)
    for name, values in (("scene", FEW.scenes), ("colour", FEW.colours), ("size", SIZES)):
        shares = {value: np.mean([getattr(spec, name) == value for spec in specs]) for value in values}
        assert sum(shares.values()) == pytest.approx(1), "nothing else occurs"
        assert all(share == pytest.approx(1 / len(values), abs=0.08) for share in shares.values()), shares


@pytest.mark.parametrize("level", LEVELS)
def test_titles_name_only_the_chosen_scenes_and_colours(level):
    specs, _ = drawn(FEW, 24)
    texts = [title(np.random.default_rng(seed), specs[seed % 24], level, FEW) for seed in range(600)]
    named = {word for text in texts for word in text.replace(",", " ").split()} & set(COLOURS)
    assert named == (set() if level == "vague" else set(FEW.colours))
    unused = [phrase for name, phrase in SCENES.items() if name not in FEW.scenes]
    assert not [text for text in texts for phrase in unused if text.endswith(phrase)]


def test_objects_are_as_large_as_set():
    shares = {}
    for name, world in (("full", FULL), ("few", FEW)):
        specs, masks = drawn(world)
        shares[name] = masks.mean()
        for size in SIZES:
            shares[name, size] = masks[[spec.size == size for spec in specs]].mean()
    assert shares["full"] == pytest.approx(0.23, abs=0.01) and shares["few"] == pytest.approx(0.18, abs=0.01)
    assert shares["full", "large"] == pytest.approx(0.33, abs=0.015)
    assert shares["few", "large"] == pytest.approx(0.235, abs=0.015)
    assert shares["few", "small"] == pytest.approx(0.117, abs=0.015)


def test_offset_sets_how_far_from_the_centre_objects_may_be():
    spread = {}
    for offset in (0.0, 0.11, 0.22):
        world = FEW.model_copy(update={"offset": offset})
        specs, masks = drawn(world)
        large = [spec.size == "large" for spec in specs]
        spread[offset] = centres(masks)[large].std(0).mean()
    assert spread[0.0] < 0.03
    for offset in (0.11, 0.22):
        # the standard deviation of a uniform distribution; cutting at the edge draws the middle of the rest inwards
        assert 0.75 < spread[offset] / (offset / 3**0.5) < 1.15, spread


def test_large_objects_without_an_offset_are_near_the_centre():
    specs, masks = drawn(FULL)
    large = np.array([spec.size == "large" for spec in specs])
    distance = np.abs(centres(masks)).max(1)
    assert distance[large].mean() < 0.5 * distance[~large].mean()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scenes": ("grass", "moon")}, "'grass', 'sand', 'snow', 'sea', 'night' or 'street'"),
        ({"scenes": ("grass",)}, "at least 2 items"),
        ({"scenes": ("sea", "sand", "sea")}, "scenes names a value twice: sea, sand, sea"),
        ({"colours": ("red", "black")}, "'red', 'orange'"),
        ({"colours": ("red",)}, "at least 2 items"),
        ({"colours": ("red", "red")}, "colours names a value twice: red, red"),
        ({"small_extent": (0.5,)}, "at least 2 items"),
        ({"small_extent": (0.1, 0.5)}, "greater than or equal to 0.2"),
        ({"large_extent": (0.8, 1.1)}, "less than or equal to 1"),
        ({"large_extent": (0.9, 0.8)}, "large_extent starts at 0.9 but ends at 0.8"),
        ({"small_extent": (0.5, 0.78)}, "small_extent ends at 0.78, but must end below large_extent, 0.78"),
        ({"offset": -0.1}, "greater than or equal to 0"),
        ({"offset": 0.5}, "less than or equal to 0.4"),
    ],
)
def test_invalid_world_settings_are_refused(change, message):
    with pytest.raises(ValidationError, match=message):
        World(**change)
