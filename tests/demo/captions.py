"""Captions of the demo world's pictures."""

import numpy as np

from workflow_scripts.demo.world.settings import DEFAULT, World
from workflow_scripts.demo.world.texts import Style, Text, caption
from workflow_scripts.demo.world.vocabulary import spec_of
from workflow_scripts.stats.seeds import derive

USUAL = Style(wrong_concept=0.02, wrong_property=0.1)


def caption_of(seed: int, split: str, index: int, world: World = DEFAULT, style: Style = USUAL) -> Text:
    """A caption of picture `index` of a split."""
    rng = np.random.default_rng(derive(seed, "demo_caption", split, index))
    return caption(rng, spec_of(seed, split, index, world), style, world)
