"""Pictures in the layout of docs/tutorial.md, for those without photos: ``python -m tests.guides.photos``."""

import csv
import random
from collections.abc import Callable
from pathlib import Path

from PIL import Image, ImageDraw

SIDE = 48  # pixels
Draw = Callable[[ImageDraw.ImageDraw, int, int, int, str], None]
SHAPES: dict[str, Draw] = {
    "circle": lambda draw, x, y, size, colour: draw.ellipse((x, y, x + size, y + size), fill=colour),
    "square": lambda draw, x, y, size, colour: draw.rectangle((x, y, x + size, y + size), fill=colour),
    "triangle": lambda draw, x, y, size, colour: draw.polygon(
        [(x, y + size), (x + size, y + size), (x + size // 2, y)], fill=colour
    ),
    "ring": lambda draw, x, y, size, colour: draw.ellipse((x, y, x + size, y + size), outline=colour, width=5),
}
COLOURS = ("red", "green", "blue", "yellow", "purple", "orange")
TITLES = ("my favourite one", "look at this", "finally!", "from last summer", "what do you think?", "found it again")


def picture(path: Path, shape: str, seed: int) -> str:
    """Write a picture of ``shape``; returns its colour."""
    rng = random.Random(seed)
    image = Image.new("RGB", (SIDE, SIDE), tuple(rng.randrange(90, 170) for _ in range(3)))
    draw = ImageDraw.Draw(image)
    for _ in range(4):  # else test pictures would be nearly the same as others
        grey = rng.randrange(256)
        draw.line([rng.randrange(SIDE) for _ in range(4)], fill=(grey, grey, grey), width=3)
    colour, size = rng.choice(COLOURS), rng.randrange(18, 30)
    SHAPES[shape](draw, rng.randrange(SIDE - size), rng.randrange(SIDE - size), size, colour)
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, quality=95)
    return colour


def table(path: Path, columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """Write a CSV file."""
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([columns, *rows])


def write(data: Path, photos: int = 96, classes: int = len(SHAPES)) -> None:
    """Write ``photos`` pictures with two captions each, and labelled ones: 20 per class for training, 50 for tests."""
    shapes = list(SHAPES)[:classes]
    titles: list[tuple[str, ...]] = []
    described: list[tuple[str, ...]] = []
    for number in range(photos):
        key, shape = f"photo{number:04d}", shapes[number % len(shapes)]
        colour = picture(data / "photos" / f"{key}.jpg", shape, number)
        titles.append((f"{key}.jpg", key, f"{random.Random(number).choice(TITLES)} {number}"))
        described.append((key, f"a {colour} {shape}"))
    table(data / "photos/titles.csv", ("file_name", "id", "caption"), titles)
    table(data / "described.csv", ("key", "caption"), described)
    for split, first, per_class in (("train", 10_000, 20), ("test", 20_000, 50)):
        for number in range(per_class * len(shapes)):
            shape = shapes[number % len(shapes)]
            picture(data / "classes" / split / shape / f"{number:04d}.jpg", shape, first + number)


if __name__ == "__main__":
    write(Path("data"))
