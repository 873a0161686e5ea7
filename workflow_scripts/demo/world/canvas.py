"""Polygons filled with plain or patterned paint, on a picture and its object mask at once."""

from collections.abc import Sequence
from dataclasses import dataclass

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


@dataclass(frozen=True)
class Part:
    """One polygon of an object, in the object's frame."""

    points: Points
    paint: Paint


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

    def place(self, parts: Sequence[Part], frame: np.ndarray) -> None:
        """Draw an object's parts in order; `frame` (2, 3) takes the object's frame to pixels."""
        inverse = np.linalg.inv(frame[:, :2])
        draw, outline = ImageDraw.Draw(self.picture), ImageDraw.Draw(self.mask)
        for part in parts:
            corners = [tuple(point) for point in (part.points @ frame[:, :2].T + frame[:, 2]).tolist()]
            outline.polygon(corners, fill=255)
            if part.paint.pattern == "plain":
                draw.polygon(corners, fill=part.paint.colour)
            else:
                self._fill(corners, part.paint, inverse, frame[:, 2])

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
