"""Drawing in the demo world, and its twelve objects, each made of parts with their own colours and textures.

Every object's function takes a random generator, the paint of the dominant part and a shade of it, and yields the parts
from back to front. Shapes vary in style and proportion, like real objects.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from PIL import Image, ImageDraw

Colour = tuple[int, int, int]
Points = np.ndarray  # (n, 2) float, x to the right and y downwards, the object within [-1, 1] x [-1, 1]


@dataclass(frozen=True)
class Paint:
    """A colour and, for patterns other than 'plain', a second one. `period` and `angle` are in the object's
    frame (half-widths of the object, radians)."""

    colour: Colour
    second: Colour = (0, 0, 0)
    pattern: str = "plain"
    period: float = 0.5
    angle: float = 0.0


Parts = Iterator[tuple[Points, Paint]]
"""Polygons in the object's frame, from back to front."""
DARK = Paint((38, 34, 40))
PALE = Paint((244, 240, 226))
GLASS = Paint((176, 214, 232))
GREY = Paint((150, 152, 158))


def ellipse(x: float, y: float, rx: float, ry: float, turn: float = 0.0, corners: int = 20) -> Points:
    """An ellipse around (x, y), turned by `turn` radians."""
    angle = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    across, along = rx * np.cos(angle), ry * np.sin(angle)
    cos, sin = np.cos(turn), np.sin(turn)
    return np.stack([x + across * cos - along * sin, y + across * sin + along * cos], 1)


def arc(x: float, y: float, rx: float, ry: float, start: float, end: float, corners: int = 14) -> Points:
    """Points along an ellipse from angle `start` to `end` (radians, clockwise on the screen)."""
    angle = np.linspace(start, end, corners)
    return np.stack([x + rx * np.cos(angle), y + ry * np.sin(angle)], 1)


def box(left: float, top: float, right: float, bottom: float) -> Points:
    """An upright rectangle."""
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)], float)


def polygon(*corners: tuple[float, float]) -> Points:
    """The given corners."""
    return np.array(corners, float)


def stroke(line: Points | Sequence[tuple[float, float]], width: float) -> Points:
    """The outline of a line of the given width through the given points."""
    line = np.asarray(line, float)
    along = np.gradient(line, axis=0)
    along /= np.maximum(np.hypot(along[:, 0], along[:, 1]), 1e-9)[:, None]
    across = np.stack([-along[:, 1], along[:, 0]], 1) * width / 2
    return np.concatenate([line + across, (line - across)[::-1]])


def blend(one: Colour, other: Colour, share: float) -> Colour:
    """`share` of the other colour mixed into the first."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def pattern_of(paint: Paint, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Where the second colour of a paint lies: bool, of the shape of the object coordinates u and v."""
    cos, sin = np.cos(paint.angle), np.sin(paint.angle)
    a, b = (u * cos + v * sin) / paint.period, (v * cos - u * sin) / paint.period
    if paint.pattern == "striped":
        return np.asarray((a % 1) < 0.5)
    if paint.pattern == "checked":
        return np.asarray(((a % 1) < 0.5) == ((b % 1) < 0.5))
    shifted = a + 0.5 * (np.floor(b) % 2)  # dotted
    return np.asarray((shifted % 1 - 0.5) ** 2 + (b % 1 - 0.5) ** 2 < 0.09)


class Canvas:
    """A picture of `side` x `side` pixels and the mask of the object parts drawn on it."""

    def __init__(self, background: np.ndarray) -> None:
        """`background` (side, side, 3) uint8."""
        self.side = background.shape[0]
        self.picture = Image.fromarray(background)
        self.mask = Image.new("L", (self.side, self.side), 0)

    def place(self, parts: Iterable[tuple[Points, Paint]], frame: np.ndarray) -> None:
        """Draw an object's parts in order; `frame` (2, 3) takes the object's frame to pixels."""
        inverse = np.linalg.inv(frame[:, :2])
        draw, outline = ImageDraw.Draw(self.picture), ImageDraw.Draw(self.mask)
        for points, paint in parts:
            corners = [tuple(point) for point in (points @ frame[:, :2].T + frame[:, 2]).tolist()]
            outline.polygon(corners, fill=255)
            if paint.pattern == "plain":
                draw.polygon(corners, fill=paint.colour)
            else:
                self._fill(corners, paint, inverse, frame[:, 2])

    def _fill(self, corners: list, paint: Paint, inverse: np.ndarray, origin: np.ndarray) -> None:
        xs, ys = [x for x, _ in corners], [y for _, y in corners]
        left, top = max(0, int(min(xs)) - 1), max(0, int(min(ys)) - 1)
        right, bottom = min(self.side, int(max(xs)) + 2), min(self.side, int(max(ys)) + 2)
        if right <= left or bottom <= top:
            return
        x = np.arange(left, right)[None, :] + 0.5 - origin[0]
        y = np.arange(top, bottom)[:, None] + 0.5 - origin[1]
        second = pattern_of(paint, inverse[0, 0] * x + inverse[0, 1] * y, inverse[1, 0] * x + inverse[1, 1] * y)
        colours = np.array([paint.colour, paint.second], np.uint8)
        stencil = Image.new("L", (right - left, bottom - top), 0)
        ImageDraw.Draw(stencil).polygon([(px - left, py - top) for px, py in corners], fill=255)
        self.picture.paste(Image.fromarray(colours[second.astype(np.intp)]), (left, top), stencil)


def _one(rng: np.random.Generator, colours: list[Colour]) -> Colour:
    return colours[rng.integers(len(colours))]


def _grain(colour: Colour, pattern: str, period: float, angle: float = 0.0, depth: float = 0.25) -> Paint:
    """The faint pattern of a material: tiles, bark, planks, wicker."""
    return Paint(colour, blend(colour, (0, 0, 0), depth), pattern, period, angle)


def house(rng: np.random.Generator, main: Paint, shade: Paint) -> Parts:
    """Wall in the main paint under a tiled roof, with door and windows; a chimney or none."""
    tiles = _grain(_one(rng, [(128, 58, 44), (84, 88, 104), (150, 84, 48)]), "striped", 0.24, np.pi / 2)
    top, ridge = rng.uniform(-0.1, 0.1), rng.uniform(0.0, 0.4)
    if rng.random() < 0.6:
        side = rng.choice([-1, 1]) * 0.45
        yield box(side - 0.1, -0.9, side + 0.1, -0.2), Paint((110, 70, 62))
    yield box(-0.72, top, 0.72, 0.95), main
    yield polygon((-0.98, top), (-ridge, -0.95), (ridge, -0.95), (0.98, top)), tiles
    door = rng.choice([-0.42, 0.0, 0.42])
    yield box(door - 0.15, 0.4, door + 0.15, 0.95), Paint((92, 56, 30))
    for x in (-0.42, 0.42) if door == 0 else (-door, -door + np.sign(door) * 0.45):
        yield box(x - 0.16, 0.18, x + 0.16, 0.5), DARK
        yield box(x - 0.12, 0.22, x + 0.12, 0.46), Paint(_one(rng, [(255, 236, 150), GLASS.colour]))


def tree(rng: np.random.Generator, main: Paint, shade: Paint) -> Parts:
    """Crown in the main paint, round or of three tiers, on a trunk of bark."""
    width = rng.uniform(0.1, 0.17)
    bark = _grain((112, 74, 40), "striped", 0.14, depth=0.35)
    trunk = polygon((-width, 0.1), (width, 0.1), (width * 1.6, 0.98), (-width * 1.6, 0.98))
    yield trunk, bark
    yield stroke([(0, 0.55), (0.35, 0.2)], 0.1), bark
    if rng.random() < 0.4:
        for top, half in ((-0.2, 0.75), (-0.6, 0.58), (-0.98, 0.42)):
            yield polygon((0, top), (half, top + 0.62), (-half, top + 0.62)), main
        return
    for x, y in ((-0.38, -0.12), (0.38, -0.12), (0.0, -0.5), (rng.uniform(-0.2, 0.2), -0.2)):
        yield ellipse(x, y, rng.uniform(0.4, 0.52), rng.uniform(0.38, 0.46)), main


def flower(rng: np.random.Generator, main: Paint, shade: Paint) -> Parts:
    """Petals in the main paint around a centre, on a green stem with two leaves."""
    stem = Paint((62, 128, 46))
    bend = rng.uniform(-0.25, 0.25)
    yield stroke([(0, -0.3), (bend, 0.35), (bend / 2, 0.98)], 0.1), stem
    for side in (-1, 1):
        yield ellipse(bend + side * 0.24, rng.uniform(0.5, 0.75), 0.26, 0.1, -side * 0.5), stem
    petals, turn = int(rng.integers(5, 9)), rng.uniform(0, np.pi)
    for angle in turn + 2 * np.pi * np.arange(petals) / petals:
        x, y = 0.4 * np.cos(angle), -0.32 + 0.4 * np.sin(angle)
        yield ellipse(x, y, 0.28, 1.15 / petals, angle), main
    yield ellipse(0, -0.32, 0.23, 0.23), Paint((84, 52, 24))
    yield ellipse(0, -0.32, 0.16, 0.16), Paint(_one(rng, [(246, 196, 40), (150, 98, 40)]))


def car(rng: np.random.Generator, main: Paint, shade: Paint) -> Parts:
    """Body in the main paint, cabin with glass, dark wheels, a lamp."""
    roof, nose = rng.uniform(-0.62, -0.5), rng.uniform(-0.05, 0.1)
    yield polygon((-0.62, 0), (-0.42, roof), (0.3, roof), (0.6, 0)), shade
    yield polygon((-0.5, -0.02), (-0.36, roof + 0.1), (-0.08, roof + 0.1), (-0.08, -0.02)), GLASS
    yield polygon((0.02, -0.02), (0.02, roof + 0.1), (0.25, roof + 0.1), (0.46, -0.02)), GLASS
    yield polygon((-0.98, 0.42), (-0.95, -0.04), (0.6, -0.04), (0.98, nose), (0.98, 0.42)), main
    yield box(-1.0, 0.34, 1.0, 0.44), GREY
    yield ellipse(0.9, 0.16, 0.08, 0.08), Paint((255, 244, 170))
    for x in (-0.56, 0.56):
        yield ellipse(x, 0.42, 0.25, 0.25), DARK
        yield ellipse(x, 0.42, 0.11, 0.11), GREY


def boat(rng: np.random.Generator, main: Paint, shade: Paint) -> Parts:
    """One or two sails in the main paint over a hull of planks."""
    planks = _grain(_one(rng, [(120, 72, 36), (70, 60, 66), (150, 102, 58)]), "striped", 0.2, np.pi / 2)
    mast = rng.uniform(-0.12, 0.12)
    yield stroke([(mast, -0.98), (mast, 0.5)], 0.08), Paint((84, 54, 30))
    if rng.random() < 0.7:
        yield polygon((mast - 0.07, -0.75), (mast - 0.07, 0.38), (-0.8, 0.36)), main
    yield polygon((mast + 0.07, -0.92), (mast + 0.07, 0.4), (0.9, 0.36)), main
    yield polygon((-0.98, 0.46), (0.98, 0.46), (0.66, 0.92), (-0.66, 0.92)), planks
    yield stroke([(-0.98, 0.48), (0.98, 0.48)], 0.08), PALE
    yield polygon((mast, -0.98), (mast + 0.25, -0.9), (mast, -0.82)), Paint((200, 50, 50))


def cat(rng: np.random.Generator, main: Paint, shade: Paint) -> Parts:
    """A face in the main paint: ears, eyes, nose, whiskers, a pale muzzle."""
    iris, wide = _one(rng, [(120, 200, 70), (240, 200, 60), (90, 200, 220)]), rng.uniform(0.78, 0.9)
    for side in (-1, 1):
        yield polygon((side * 0.82, -0.95), (side * 0.88, 0.0), (side * 0.2, -0.5)), main
        yield polygon((side * 0.75, -0.74), (side * 0.74, -0.3), (side * 0.4, -0.5)), Paint((238, 160, 170))
    yield ellipse(0, 0.15, wide, 0.72), main
    yield ellipse(0, 0.5, 0.34, 0.24), PALE
    for side in (-1, 1):
        yield ellipse(side * 0.36, 0.0, 0.19, 0.19), Paint(iris)
        yield ellipse(side * 0.36, 0.0, 0.07, 0.17), DARK
        for y in (0.36, 0.56):
            yield stroke([(side * 0.3, 0.46), (side * 0.98, y)], 0.05), DARK
    yield polygon((-0.14, 0.32), (0.14, 0.32), (0, 0.48)), Paint((222, 96, 120))


def fish(rng: np.random.Generator, main: Paint, shade: Paint) -> Parts:
    """Body in the main paint, finned in a shade of it, with eye and gill."""
    high = rng.uniform(0.42, 0.58)
    rays = _grain(shade.colour, "striped", 0.16, np.pi / 2, 0.3)
    yield polygon((0.4, 0), (0.98, -0.55), (0.84, 0), (0.98, 0.55)), rays
    yield polygon((-0.3, -high * 0.8), (0.05, -high - 0.3), (0.35, -high * 0.6)), rays
    yield polygon((-0.1, high * 0.8), (0.15, high + 0.22), (0.3, high * 0.6)), rays
    yield ellipse(-0.15, 0, 0.8, high), main
    yield polygon((-0.98, 0.06), (-0.7, 0.1), (-0.9, 0.2)), DARK
    yield ellipse(-0.58, -0.1, 0.17, 0.17), Paint((250, 250, 250))
    yield ellipse(-0.6, -0.1, 0.09, 0.09), DARK
    yield stroke(arc(-0.5, 0, 0.24, high * 0.75, -1.2, 1.2), 0.07), Paint(shade.colour)


def mushroom(rng: np.random.Generator, main: Paint, shade: Paint) -> Parts:
    """Cap in the main paint on a pale stem with a ring."""
    foot, high = rng.uniform(0.2, 0.3), rng.uniform(0.85, 1.1)
    flesh = Paint((236, 222, 192))
    cap = np.concatenate([arc(0, 0.1, 0.96, high, np.pi, 2 * np.pi), polygon((0.6, 0.22), (-0.6, 0.22))])
    yield polygon((-0.2, 0.1), (0.2, 0.1), (foot + 0.1, 0.96), (-foot - 0.1, 0.96)), flesh
    yield polygon((-0.28, 0.36), (0.28, 0.36), (0.38, 0.54), (-0.38, 0.54)), Paint((206, 184, 148))
    yield cap, main
    yield ellipse(0, 0.16, 0.66, 0.11), _grain((214, 180, 150), "striped", 0.16, depth=0.4)


def cup(rng: np.random.Generator, main: Paint, shade: Paint) -> Parts:
    """Body in the main paint with handle, drink and saucer; steam or none."""
    narrow, drink = rng.uniform(0.4, 0.62), _one(rng, [(92, 52, 28), (156, 92, 40), (96, 110, 40)])
    yield ellipse(-0.1, 0.84, 0.86, 0.14), GREY
    yield ellipse(-0.1, 0.8, 0.72, 0.1), PALE
    yield stroke(arc(0.55, 0.12, 0.38, 0.38, -1.7, 1.7), 0.15), shade
    yield polygon((-0.78, -0.4), (0.58, -0.4), (narrow - 0.1, 0.82), (-narrow - 0.1, 0.82)), main
    yield ellipse(-0.1, -0.4, 0.69, 0.2), PALE
    yield ellipse(-0.1, -0.38, 0.56, 0.14), Paint(drink)
    for x in (-0.3, 0.1)[: int(rng.integers(0, 3))]:
        yield stroke([(x, -0.55), (x + 0.1, -0.7), (x, -0.82), (x + 0.1, -0.96)], 0.07), Paint((226, 226, 230))


def umbrella(rng: np.random.Generator, main: Paint, shade: Paint) -> Parts:
    """Canopy in the main paint with ribs, on a hooked stick."""
    wood = Paint(_one(rng, [(60, 44, 36), (30, 30, 36), (130, 84, 40)]))
    hook = rng.choice([-1, 1]) * 0.16
    grip = np.concatenate([polygon((0, -0.4), (0, 0.78)), arc(hook, 0.78, -hook, 0.16, 0.1, np.pi)])
    ends = np.linspace(-0.96, 0.96, 5)
    hem = [arc((a + b) / 2, 0.08, (b - a) / 2, 0.16, 0, -np.pi, 6) for a, b in pairwise(ends)]
    canopy = np.concatenate([arc(0, 0.08, 0.96, rng.uniform(0.78, 0.95), np.pi, 2 * np.pi), *hem[::-1]])
    yield stroke(grip, 0.1), wood
    yield stroke([(0, -0.98), (0, -0.7)], 0.08), wood
    yield canopy, main
    for x in (-0.48, 0.0, 0.48):
        yield stroke([(x * 0.2, -0.76), (x * 0.8, -0.4), (x, 0.0)], 0.05), DARK


def balloon(rng: np.random.Generator, main: Paint, shade: Paint) -> Parts:
    """Hot-air balloon: envelope in the main paint, ropes, wicker basket."""
    wicker = _grain((170, 120, 60), "checked", 0.16, depth=0.4)
    wide = rng.uniform(0.66, 0.8)
    yield stroke([(-0.35, 0.2), (-0.16, 0.72)], 0.05), DARK
    yield stroke([(0.35, 0.2), (0.16, 0.72)], 0.05), DARK
    yield ellipse(0, -0.34, wide, 0.64), main
    yield polygon((-wide * 0.62, 0.14), (wide * 0.62, 0.14), (0.2, 0.42), (-0.2, 0.42)), shade
    yield ellipse(-wide * 0.4, -0.62, 0.1, 0.18, 0.5), Paint((252, 252, 252))
    yield box(-0.24, 0.66, 0.24, 0.98), wicker
    yield box(-0.28, 0.64, 0.28, 0.72), Paint((110, 72, 34))


def gift(rng: np.random.Generator, main: Paint, shade: Paint) -> Parts:
    """Box in the main paint, tied with a ribbon and a bow of another colour."""
    ribbon = Paint(_one(rng, [(236, 186, 50), (206, 206, 214), (60, 50, 60)]))
    top, half, x = rng.uniform(-0.45, -0.25), rng.uniform(0.7, 0.9), rng.uniform(-0.15, 0.15)
    yield box(-half, top + 0.2, half, 0.92), main
    yield box(-half - 0.08, top, half + 0.08, top + 0.26), shade
    yield box(x - 0.13, top, x + 0.13, 0.92), ribbon
    yield box(-half, 0.3, half, 0.5), ribbon
    for side in (-1, 1):
        yield ellipse(x + side * 0.3, top - 0.2, 0.32, 0.17, side * -0.5), ribbon
        yield ellipse(x + side * 0.3, top - 0.2, 0.16, 0.07, side * -0.5), Paint(blend(ribbon.colour, (0, 0, 0), 0.45))
    yield ellipse(x, top - 0.06, 0.12, 0.12), ribbon


_DRAWN = (balloon, boat, car, cat, cup, fish, flower, gift, house, mushroom, tree, umbrella)
OBJECTS: dict[str, Callable[[np.random.Generator, Paint, Paint], Parts]] = {one.__name__: one for one in _DRAWN}
