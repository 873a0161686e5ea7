"""What a picture of the demo world can show, and several wordings for each value.

No wording holds one of another value, so a text names exactly the values that it was made from.
"""

from dataclasses import dataclass

import numpy as np

from workflow_scripts.demo.world.settings import DEFAULT, Label, World
from workflow_scripts.stats.seeds import derive

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
WORDINGS: dict[Label, dict[str, tuple[str, ...]]] = {
    "concept": {
        "balloon": ("balloon", "hot air balloon", "air balloon", "flying balloon"),
        "boat": ("boat", "sailboat", "sailing boat", "sailing ship"),
        "car": ("car", "automobile", "motorcar", "sedan", "passenger car"),
        "cat": ("cat", "domestic cat", "feline", "tomcat", "kitty"),
        "cup": ("cup", "mug", "teacup", "coffee cup", "coffee mug"),
        "fish": ("fish", "aquarium fish", "swimming fish", "pet fish"),
        "flower": ("flower", "blossom", "wildflower", "flower in bloom"),
        "gift": ("gift", "present", "gift box", "wrapped present", "birthday present"),
        "house": ("house", "family house", "dwelling", "residence", "home"),
        "mushroom": ("mushroom", "toadstool", "fungus", "wild mushroom"),
        "tree": ("tree", "forest tree", "shade tree", "woodland tree"),
        "umbrella": ("umbrella", "parasol", "brolly", "rain umbrella", "sunshade"),
    },
    "colour": {
        "red": ("red", "crimson", "scarlet", "ruby"),
        "orange": ("orange", "tangerine", "amber", "apricot"),
        "yellow": ("yellow", "golden", "lemon", "mustard"),
        "green": ("green", "emerald", "olive", "lime"),
        "blue": ("blue", "navy", "azure", "cobalt"),
        "purple": ("purple", "violet", "mauve", "plum"),
        "pink": ("pink", "rosy", "fuchsia", "magenta"),
        "white": ("white", "ivory", "cream", "pearl"),
    },
    "texture": {
        "plain": ("plain", "unpatterned", "patternless", "undecorated"),
        "striped": ("striped", "stripy", "banded", "pinstriped"),
        "dotted": ("dotted", "speckled", "dappled", "polka dot"),
        "checked": ("checked", "chequered", "plaid", "gingham"),
    },
    "size": {
        "small": ("small", "little", "tiny", "compact", "miniature"),
        "large": ("large", "big", "huge", "sizeable", "massive"),
    },
    "scene": {
        "grass": ("on the grass", "on a lawn", "in a meadow", "on the turf"),
        "sand": ("on the sand", "on a beach", "in the dunes", "in the desert"),
        "snow": ("in the snow", "on snowy ground", "in deep snow", "in a winter landscape"),
        "sea": ("by the sea", "at the ocean", "on the waves", "out on the water"),
        "night": ("at night", "after dark", "under the stars", "in the moonlight"),
        "street": ("on the street", "on a road", "on the pavement", "in the city"),
    },
    "place": {
        "left": ("on the left", "on the left side", "to the left", "left of centre"),
        "middle": ("in the middle", "at the centre", "in the centre", "halfway across"),
        "right": ("on the right", "on the right side", "to the right", "right of centre"),
    },
}
CONCEPTS, TEXTURES, SIZES, SCENES, PLACES = (
    tuple(WORDINGS[name]) for name in ("concept", "texture", "size", "scene", "place")
)


@dataclass(frozen=True)
class Spec:
    """What one picture shows: a main object with its colour, texture and size, and where it stands."""

    concept: str
    colour: str
    texture: str
    size: str
    scene: str
    place: str


def values(name: Label, world: World = DEFAULT) -> tuple[str, ...]:
    """The values of a property that occur in `world`."""
    chosen = {"scene": world.scenes, "colour": world.colours}
    return chosen.get(name) or tuple(WORDINGS[name])


def spec_of(seed: int, split: str, index: int, world: World = DEFAULT) -> Spec:
    """What picture `index` of a split shows. Concepts take turns; all else is drawn evenly and independently."""
    rng = np.random.default_rng(derive(seed, "demo_world", split, index))
    drawn = {name: str(rng.choice(values(name, world))) for name in WORDINGS if name != "concept"}
    return Spec(concept=CONCEPTS[index % len(CONCEPTS)], **drawn)


def named(text: str) -> dict[Label, set[str]]:
    """The values of each property that a text names, right or not."""
    padded = f" {' '.join(text.replace(',', ' ').split())} "
    return {
        name: {value for value, wordings in of_property.items() if any(f" {one} " in padded for one in wordings)}
        for name, of_property in WORDINGS.items()
    }
