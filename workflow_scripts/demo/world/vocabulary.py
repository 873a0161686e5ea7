"""What a picture of the demo world can show, and the sentence that says so."""

from dataclasses import dataclass

import numpy as np

from workflow_scripts.demo.world.settings import FULL, World

CONCEPTS = (
    "balloon",
    "boat",
    "car",
    "cat",
    "cup",
    "fish",
    "flower",
    "gift",
    "house",
    "mushroom",
    "tree",
    "umbrella",
)
COLOURS = {
    "red": (212, 38, 38),
    "orange": (245, 140, 25),
    "yellow": (242, 222, 48),
    "green": (48, 150, 62),
    "blue": (45, 88, 214),
    "purple": (128, 52, 168),
    "pink": (246, 148, 192),
    "white": (242, 242, 240),
}
TEXTURES = ("plain", "striped", "dotted", "checked")
SIZES = ("small", "large")
SCENES = {
    "grass": "on the grass",
    "sand": "on the sand",
    "snow": "in the snow",
    "sea": "by the sea",
    "night": "at night",
    "street": "on the street",
}


@dataclass(frozen=True)
class Spec:
    """What one picture shows: a main object with its colour, texture and size, and where it stands."""

    concept: str
    colour: str
    texture: str
    size: str
    scene: str


def sample_spec(rng: np.random.Generator, concept: str | None = None, world: World = FULL) -> Spec:
    """All properties drawn evenly and independently from those of `world`; `concept` fixes that one."""
    return Spec(
        concept=concept or CONCEPTS[rng.integers(len(CONCEPTS))],
        colour=world.colours[rng.integers(len(world.colours))],
        texture=TEXTURES[rng.integers(len(TEXTURES))],
        size=SIZES[rng.integers(len(SIZES))],
        scene=world.scenes[rng.integers(len(world.scenes))],
    )


def caption(spec: Spec) -> str:
    """The faithful caption, e.g. 'a small red striped mushroom on the grass'; a plain texture is not mentioned."""
    texture = [] if spec.texture == "plain" else [spec.texture]
    return " ".join(["a", spec.size, spec.colour, *texture, spec.concept, SCENES[spec.scene]])
