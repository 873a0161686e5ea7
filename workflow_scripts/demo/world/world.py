"""Pictures of the demo world: one main object in a scene, its exact mask, the same bytes for the same seed."""

import colorsys

import numpy as np
from PIL import Image, ImageDraw

from workflow_scripts.demo.world.objects import OBJECTS, Canvas, Colour, Paint, blend
from workflow_scripts.demo.world.settings import DEFAULT, World
from workflow_scripts.demo.world.vocabulary import COLOURS, PLACES, Spec, spec_of
from workflow_scripts.stats.seeds import derive

# scene -> (upper sky, lower sky, near ground, far ground)
PALETTES: dict[str, tuple[Colour, Colour, Colour, Colour]] = {
    "grass": ((120, 180, 235), (205, 228, 240), (96, 142, 52), (140, 178, 88)),
    "sand": ((140, 196, 236), (236, 230, 208), (206, 172, 112), (228, 204, 152)),
    "snow": ((176, 184, 198), (214, 220, 228), (224, 230, 240), (244, 247, 250)),
    "sea": ((130, 186, 228), (222, 232, 236), (24, 92, 128), (72, 150, 172)),
    "night": ((10, 12, 38), (44, 40, 84), (26, 34, 40), (42, 50, 64)),
    "street": ((168, 176, 186), (208, 206, 202), (82, 82, 86), (120, 120, 124)),
}
LIGHT = {"night": 0.88}
BACKGROUND, OBJECT, IGNORE = 0, 1, 255
EXTENT = {"small": (0.56, 0.64), "large": (0.76, 0.86)}  # sides of the image
OFFSET = 0.22  # of an object's centre from the image's at most, along each axis
_OVERSAMPLE = 2


def _noise(rng: np.random.Generator, side: int, rows: int, columns: int) -> np.ndarray:
    """Smooth noise (side, side) in about [-1, 1], made from a grid of the given size."""
    grid = Image.fromarray(rng.uniform(-1, 1, (rows, columns)).astype(np.float32))
    return np.asarray(grid.resize((side, side), Image.Resampling.BILINEAR))


def _ground(rng: np.random.Generator, scene: str, side: int) -> np.ndarray:
    """The relief of the ground (side, side), in grey levels."""
    if scene == "grass":
        return 26 * _noise(rng, side, 12, 40)
    if scene == "sand":
        return 14 * _noise(rng, side, 24, 4) + 8 * _noise(rng, side, 48, 48)
    if scene == "sea":
        return 30 * _noise(rng, side, 22, 6)
    if scene == "snow":
        return 10 * _noise(rng, side, 5, 5)
    return 12 * _noise(rng, side, 48, 48)


def _vary(rng: np.random.Generator, colour: Colour) -> np.ndarray:
    return np.array(colour, float) * rng.uniform(0.88, 1.08) + rng.uniform(-8, 8, 3)


def backdrop(rng: np.random.Generator, scene: str, side: int) -> np.ndarray:
    """Sky, ground and distractors: (side, side, 3) uint8. The same proportions at every side."""
    upper, lower, near, far = (_vary(rng, colour) for colour in PALETTES[scene])
    horizon = int(side * rng.uniform(0.3, 0.58))
    down = np.linspace(0, 1, side)[:, None, None]
    sky = upper + (lower - upper) * down * 1.6
    ground = far + (near - far) * np.clip((down * side - horizon) / (side - horizon), 0, 1)
    ground = ground + _ground(rng, scene, side)[:, :, None]
    picture = np.where(np.arange(side)[:, None, None] < horizon, sky, ground)
    image = Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))
    _details(rng, scene, ImageDraw.Draw(image), side, horizon)
    return np.array(image)


def _details(rng: np.random.Generator, scene: str, draw: ImageDraw.ImageDraw, side: int, horizon: int) -> None:
    unit = side / 48
    if scene == "night":
        _spots(rng, draw, int(rng.integers(10, 20)), (0, horizon), 0.5 * unit, (240, 240, 210))
        x, y, r = rng.uniform(0.1, 0.9) * side, rng.uniform(0.08, 0.2) * side, 2.6 * unit
        draw.ellipse((x - r, y - r, x + r, y + r), fill=(244, 240, 200))
    elif scene == "snow":
        _spots(rng, draw, int(rng.integers(18, 34)), (0, side), 0.5 * unit, (255, 255, 255))
    elif scene == "street":
        for left in np.arange(0, side, 9 * unit):
            top = horizon - rng.uniform(2, 12) * unit
            draw.rectangle(
                (left, top, left + 8 * unit, horizon), fill=blend((132, 122, 118), (90, 96, 110), rng.random())
            )
        y, shift = horizon + 0.55 * (side - horizon), rng.uniform(0, 10)
        for left in np.arange(-10, 50, 10) + shift:
            draw.rectangle((left * unit, y, (left + 5) * unit, y + unit), fill=(226, 222, 204))
    elif scene == "sand":
        _spots(rng, draw, int(rng.integers(8, 18)), (horizon, side), 0.45 * unit, (150, 116, 72))
    elif scene == "grass":
        for x, y in zip(rng.uniform(0, side, 26), rng.uniform(horizon, side, 26), strict=True):
            draw.line(
                (x, y, x + rng.uniform(-1, 1) * unit, y - 2.5 * unit), fill=(54, 104, 34), width=max(1, int(unit / 2))
            )
    elif scene == "sea":
        for x, y in zip(rng.uniform(0, side, 12), rng.uniform(horizon, side, 12), strict=True):
            draw.line((x, y, x + rng.uniform(3, 7) * unit, y), fill=(206, 230, 236), width=max(1, int(unit / 2)))
    _litter(rng, draw, side, horizon)


def _spots(
    rng: np.random.Generator, draw: ImageDraw.ImageDraw, count: int, rows: tuple[int, int], r: float, colour: Colour
) -> None:
    width = draw.im.size[0]
    for x, y in zip(rng.uniform(0, width, count), rng.uniform(*rows, count), strict=True):
        draw.ellipse((x - r, y - r, x + r, y + r), fill=colour)


def _litter(rng: np.random.Generator, draw: ImageDraw.ImageDraw, side: int, horizon: int) -> None:
    """Distractors: up to three pebbles, leaves and balls of any colour, none larger than a tenth of the side."""
    palette = [*COLOURS.values(), (128, 124, 120), (104, 78, 52)]
    for _ in range(int(rng.integers(0, 4))):
        colour = palette[rng.integers(len(palette))]
        x, y = rng.uniform(0, side), rng.uniform(horizon, side)
        rx, ry = rng.uniform(0.02, 0.045, 2) * side
        draw.ellipse((x - rx, y - ry, x + rx, y + ry), fill=blend(colour, (90, 90, 90), 0.25))


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


def _frame(rng: np.random.Generator, spec: Spec, side: int) -> np.ndarray:
    """(2, 3): a slight turn, shear and stretch, mirrored or not, at its place."""
    extent = rng.uniform(*EXTENT[spec.size])
    turn, shear, stretch = rng.uniform(-0.22, 0.22), rng.uniform(-0.12, 0.12), rng.uniform(0.9, 1.1)
    cos, sin, mirror = np.cos(turn), np.sin(turn), rng.choice([-1.0, 1.0])
    matrix = np.array([[cos, -sin], [sin, cos]]) @ np.array([[1, shear], [0, 1]])
    matrix = matrix @ np.diag([mirror * stretch, 1 / stretch]) * extent / 2
    across = (2 * PLACES.index(spec.place) + rng.uniform(0, 2)) / 3 - 1  # the third of -1..1 that the place is
    centre = 0.5 + np.array([across * OFFSET, rng.uniform(-1, 1) * OFFSET + 0.02])
    return np.column_stack([matrix, centre]) * side


def draw(spec: Spec, rng: np.random.Generator, size: int = 48) -> tuple[np.ndarray, np.ndarray]:
    """Picture (size, size, 3) uint8 and mask (size, size) uint8 of one object in its scene.

    The mask is 1 where at least 3/4 of a pixel belong to the object, 0 where none does, 255 between.
    """
    side = size * _OVERSAMPLE
    canvas = Canvas(backdrop(rng, spec.scene, side))
    main, shade = _paints(rng, spec)
    parts = list(OBJECTS[spec.concept](rng, main, shade))  # draws before the frame does
    canvas.place(parts, _frame(rng, spec, side))
    picture = np.asarray(canvas.picture.reduce(_OVERSAMPLE), np.float32)
    light = rng.uniform(0.92, 1.06) * LIGHT.get(spec.scene, 1.0)
    picture = (picture - 128) * rng.uniform(0.92, 1.06) + 128
    picture = picture * light + rng.normal(0, 3.5, picture.shape).astype(np.float32)
    cover = np.asarray(canvas.mask.reduce(_OVERSAMPLE))
    mask = np.where(cover == 0, BACKGROUND, np.where(cover >= 191, OBJECT, IGNORE)).astype(np.uint8)
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8), mask


def scene_of(
    seed: int, split: str, index: int, size: int = 48, world: World = DEFAULT
) -> tuple[Spec, np.ndarray, np.ndarray]:
    """Picture `index` of a split: what it shows, picture and mask."""
    spec = spec_of(seed, split, index, world)
    picture, mask = draw(spec, np.random.default_rng(derive(seed, "demo_picture", split, index)), size)
    return spec, picture, mask
