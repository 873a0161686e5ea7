"""The six places of the demo world: sky, ground with a texture of its own, and small distractors."""

import numpy as np
from PIL import Image, ImageDraw

from workflow_scripts.demo.world.canvas import Colour, blend
from workflow_scripts.demo.world.vocabulary import COLOURS

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
