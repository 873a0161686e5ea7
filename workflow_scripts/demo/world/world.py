"""Pictures of the demo world: one main object in a scene, its exact mask, the same bytes for the same seed."""

import colorsys

import numpy as np
from PIL import Image

from workflow_scripts.demo.world.canvas import Canvas, Colour, Paint, blend
from workflow_scripts.demo.world.objects import OBJECTS
from workflow_scripts.demo.world.scenes import LIGHT, backdrop
from workflow_scripts.demo.world.settings import FULL, World
from workflow_scripts.demo.world.vocabulary import COLOURS, CONCEPTS, Spec, sample_spec
from workflow_scripts.stats.seeds import derive

BACKGROUND, OBJECT, IGNORE = 0, 1, 255
_OVERSAMPLE = 2


def main_colour(rng: np.random.Generator, name: str) -> Colour:
    """A shade of the named colour."""
    hue, saturation, value = colorsys.rgb_to_hsv(*(channel / 255 for channel in COLOURS[name]))
    hue, value = (hue + rng.uniform(-0.014, 0.014)) % 1, min(1.0, value * rng.uniform(0.9, 1.06))
    red, green, blue = colorsys.hsv_to_rgb(hue, saturation * rng.uniform(0.88, 1.0), value)
    return round(red * 255), round(green * 255), round(blue * 255)


def _paints(rng: np.random.Generator, spec: Spec) -> tuple[Paint, Paint]:
    """The paint of the dominant part and a plain shade of it for parts beside it."""
    colour = main_colour(rng, spec.colour)
    dark = blend(colour, (20, 20, 30), rng.uniform(0.45, 0.55))
    light = blend(colour, (255, 255, 255), rng.uniform(0.72, 0.85))
    second = light if spec.colour not in ("white", "yellow", "pink") and rng.random() < 0.6 else dark
    main = Paint(colour, second, spec.texture, rng.uniform(0.52, 0.66), rng.uniform(0, np.pi))
    return main, Paint(blend(colour, (20, 20, 30), 0.3))


def _frame(rng: np.random.Generator, spec: Spec, side: int, world: World) -> np.ndarray:
    """(2, 3): a slight turn, shear and stretch, mirrored or not, placed as in `world`."""
    least, most = world.small_extent if spec.size == "small" else world.large_extent
    extent = rng.uniform(least, most)
    turn, shear, stretch = rng.uniform(-0.22, 0.22), rng.uniform(-0.12, 0.12), rng.uniform(0.9, 1.1)
    cos, sin, mirror = np.cos(turn), np.sin(turn), rng.choice([-1.0, 1.0])
    matrix = np.array([[cos, -sin], [sin, cos]]) @ np.array([[1, shear], [0, 1]])
    matrix = matrix @ np.diag([mirror * stretch, 1 / stretch]) * extent / 2
    room = max(0.0, 0.5 - extent / 2) if world.offset is None else world.offset
    centre = 0.5 + np.array([rng.uniform(-room, room), rng.uniform(-room, room) + 0.02])
    return np.column_stack([matrix, centre]) * side


def draw(spec: Spec, rng: np.random.Generator, size: int = 48, world: World = FULL) -> tuple[np.ndarray, np.ndarray]:
    """Picture (size, size, 3) uint8 and mask (size, size) uint8 of one object in its scene.

    The mask is 1 where at least 3/4 of a pixel belong to the object, 0 where none does, 255 between.
    """
    side = size * _OVERSAMPLE
    canvas = Canvas(backdrop(rng, spec.scene, side))
    main, shade = _paints(rng, spec)
    canvas.place(OBJECTS[spec.concept](rng, main, shade), _frame(rng, spec, side, world))
    picture = np.asarray(canvas.picture.reduce(_OVERSAMPLE), np.float32)
    light = rng.uniform(0.92, 1.06) * LIGHT.get(spec.scene, 1.0)
    picture = (picture - 128) * rng.uniform(0.92, 1.06) + 128
    picture = picture * light + rng.normal(0, 3.5, picture.shape).astype(np.float32)
    cover = np.asarray(canvas.mask.reduce(_OVERSAMPLE))
    mask = np.where(cover == 0, BACKGROUND, np.where(cover >= 191, OBJECT, IGNORE)).astype(np.uint8)
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8), mask


def scene_of(
    seed: int, split: str, index: int, size: int = 48, world: World = FULL
) -> tuple[Spec, np.ndarray, np.ndarray]:
    """Picture `index` of a split: what it shows, picture and mask. Concepts take turns; all else is drawn."""
    rng = np.random.default_rng(derive(seed, "demo_world", split, index))
    spec = sample_spec(rng, CONCEPTS[index % len(CONCEPTS)], world)
    picture, mask = draw(spec, rng, size, world)
    return spec, picture, mask


def to_image(picture: np.ndarray) -> Image.Image:
    """A PIL image of an RGB picture or a mask."""
    return Image.fromarray(picture)
