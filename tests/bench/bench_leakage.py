"""How often planted copies of photos are found among training images, and how often others are mistaken for copies.

Run: python -m tests.bench.bench_leakage [--planted N] [--encoder FOLDER] FOLDER [FOLDER ...]. Each photo in the folders
is looked for among all others, where nothing should be found except the duplicates that the folders hold themselves:
prints these pairs, and how many photos are in one by distance and correlation. Then N of the photos (by a hash of their
names) turn up again, changed: prints a JSON line per change with the curve over distances. With a model that
transformers loads as an image encoder (tests.bench.lite0_encoder writes one), vectors are compared too, and the lines
have the curve over cosines. The limits are the defaults of the stages. Wanted: identical 100 %, resized and re-encoded
99 %, mirrored and crops of 90 % of the area 90 %, false alarms at most 1 in 1,000. The ratio is to pHash alone: within
31 bits, without crops, mirroring and alignment.
"""

import argparse
import hashlib
import io
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageOps

from workflow_scripts.embeddings.chunks import unit_rows
from workflow_scripts.embeddings.transformers_images import transformers_encoder
from workflow_scripts.evaluation.leakage.fingerprints import VIEWS, Fingerprints, print_of, stacked
from workflow_scripts.evaluation.leakage.search import NEAREST, Limits, Match, close_pairs, matches
from workflow_scripts.pairs.search.candidates import all_largest
from workflow_scripts.stages.leakage import Leakage
from workflow_scripts.stages.vector_matches import VectorMatches

PLAIN = 31
COSINES = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95)
BATCH = 32
DISTANCES, CORRELATIONS = (31, 50, 60, 70, 76, 80, 84, 88, 92), (0.8, 0.85, 0.9, 0.93, 0.95, 0.97)


def saved(image: Image.Image, quality: int) -> Image.Image:
    """The image after JPEG."""
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality)
    return Image.open(io.BytesIO(out.getvalue())).convert("RGB")


def cropped(image: Image.Image, area: float, at: np.ndarray) -> Image.Image:
    """A part of the image with ``area`` of its pixels, at a random place."""
    width, height = (round(side * area**0.5) for side in image.size)
    left, top = round((image.width - width) * at[0]), round((image.height - height) * at[1])
    return saved(image.crop((left, top, left + width, top + height)), 85)


def changes() -> dict[str, Callable[[Image.Image], Image.Image]]:
    """Name -> what happens to a photo."""
    rng = np.random.default_rng(0)
    half = lambda image: saved(image.resize((image.width // 2, image.height // 2), Image.Resampling.BICUBIC), 60)  # noqa: E731
    return {
        "identical": lambda image: image,
        "resized and re-encoded": half,
        "mirrored": lambda image: saved(ImageOps.mirror(image), 85),
        "crop of 90 % of the area": lambda image: cropped(image, 0.9, rng.random(2)),
        "mirrored crop of 90 % of the area": lambda image: cropped(ImageOps.mirror(image), 0.9, rng.random(2)),
        "crop of 90 % of each side": lambda image: cropped(image, 0.81, rng.random(2)),
        "crop of 60 % of the area": lambda image: cropped(image, 0.6, rng.random(2)),
        "a bar with text over a fifth": written,
        "a white frame": lambda image: saved(ImageOps.expand(image, max(image.size) // 12, "white"), 85),
        "rotated by 5 degrees": lambda image: saved(image.rotate(5, Image.Resampling.BICUBIC), 85),
    }


def written(image: Image.Image) -> Image.Image:
    """The image with a bar at the bottom."""
    image = image.copy()
    draw, top = ImageDraw.Draw(image), image.height * 4 // 5
    draw.rectangle((0, top, *image.size), fill="black")
    draw.text((image.width // 10, top + 2), "when you see it", fill="white", font_size=max(image.height // 10, 6))
    return saved(image, 85)


class Seen(NamedTuple):
    """What is compared of n images: fingerprints, and vectors (n, d) float32, of width 0 without an encoder."""

    prints: Fingerprints
    vectors: np.ndarray

    def part(self, rows: list[int]) -> "Seen":
        """Some of the images."""
        return Seen(Fingerprints(*(column[rows] for column in self.prints)), self.vectors[rows])


def opened(path: Path) -> Image.Image:
    """The photo in a file."""
    return Image.open(path).convert("RGB")


def seen(images: Iterator[Image.Image], encoder: Callable | None) -> Seen:
    """Fingerprints with mirrored views, and vectors."""
    rows, vectors, batch = [], [], []
    for image in images:
        rows.append(print_of(image, mirrored=True))
        batch.append(image)
        if encoder and len(batch) == BATCH:
            vectors.append(encoder(batch).numpy())
            batch.clear()
    if encoder and batch:
        vectors.append(encoder(batch).numpy())
    return Seen(stacked(rows, mirrored=True), unit_rows(np.concatenate(vectors or [np.zeros((len(rows), 0))])))


def search(
    tests: Seen, training: Seen, limits: Limits, cosine: float | None = None, apart: bool = False
) -> list[Match]:
    """All matches, by vectors too if a limit is given; the key of a training image is its row.

    Args:
        apart: leave out pairs of images of the same row.
    """
    keys = [str(at) for at in range(len(training.vectors))]
    close: dict[str, dict[int, float]] = {}
    if cosine is not None and tests.vectors.shape[1]:
        width = min(NEAREST + apart, len(keys))
        products, rows = all_largest(tests.vectors, training.vectors, width, "cpu", 1)
        for row, at, value in zip(*close_pairs(tests.vectors, training.vectors, rows, products, cosine), strict=True):
            close.setdefault(keys[at], {})[int(row)] = float(value)
    plain = training.prints._replace(hashes=training.prints.hashes[:, :VIEWS])
    found = matches(tests.prints, [(keys, plain)], limits, close)
    return [one for one in found if not (apart and int(one.train) == one.test)]


def found_share(tests: Seen, training: Seen, limits: Limits, cosine: float | None = None) -> float:
    """Share of test images whose own photo, that of the same row, is found."""
    own = {one.test for one in search(tests, training, limits, cosine) if int(one.train) == one.test}
    return round(len(own) / len(tests.vectors), 4)


def found_by_plain(tests: Seen, training: Seen) -> float:
    """The same for pHash alone."""
    differing = np.unpackbits(tests.prints.hashes[:, 0] ^ training.prints.hashes[:, 0], axis=1).sum(axis=1)
    return float((differing <= PLAIN).mean())


def measure(photos: list[Path], originals: Seen, limits: Limits, encoder: Callable | None) -> None:
    """Print the rates of each change, in both directions, and the curves."""
    for name, change in changes().items():
        copies = seen((change(opened(path)) for path in photos), encoder)

        def both_ways(limits: Limits, cosine: float | None = None, copies: Seen = copies) -> dict[str, float]:
            return {
                "training_image_changed": found_share(originals, copies, limits, cosine),
                "test_image_changed": found_share(copies, originals, limits, cosine),
            }

        plain, found = found_by_plain(originals, copies), both_ways(limits)
        ratio = round(found["training_image_changed"] / plain, 2) if plain else None
        curve = {distance: both_ways(limits._replace(distance=distance)) for distance in DISTANCES}
        line = {"copy": name, "photos": len(photos), **found, "found_by_plain": plain, "ratio": ratio, "curve": curve}
        if encoder:
            line["with_vectors"] = both_ways(limits, VectorMatches().cosine)
            line["cosines"] = {cosine: both_ways(limits, cosine) for cosine in COSINES}
        say(line)


def alarms(photos: list[Path], every: Seen, limits: Limits) -> None:
    """Print pairs of different photos that are found, and numbers of photos that are in one."""
    found = search(every, every, Limits(DISTANCES[-1], CORRELATIONS[0]), COSINES[0], apart=True)
    for one in sorted(found, key=lambda one: one.rank):
        by_hash = one.by_hash and one.distance <= limits.distance
        by_vectors = one.by_vectors and one.cosine is not None and one.cosine >= VectorMatches().cosine
        if one.correlation >= limits.correlation and (by_hash or by_vectors) and one.test < int(one.train):
            pair = [str(photos[at]) for at in (one.test, int(one.train))]
            say({"pair": pair, "distance": one.distance, "correlation": one.correlation, "cosine": one.cosine})
    for name, limits_of in (("distance", DISTANCES), ("cosine", COSINES if every.vectors.shape[1] else ())):
        for limit in limits_of:
            kept = [
                one
                for one in found
                if (one.by_hash and one.distance <= limit if name == "distance" else (one.cosine or 0.0) >= limit)
            ]
            by = {least: len({one.test for one in kept if one.correlation >= least}) for least in CORRELATIONS}
            say({name: limit, "photos_in_pairs_by_correlation": by, "photos": len(photos)})


def say(line: dict) -> None:
    """Print a JSON line."""
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Measure on the photos in some folders."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--planted", type=int, default=1_000)
    parser.add_argument("--encoder", type=Path)
    parser.add_argument("folders", nargs="+", type=Path)
    given = parser.parse_args()
    encoder = transformers_encoder(given.encoder, "cpu") if given.encoder else None
    photos = [path for folder in given.folders for path in sorted(folder.rglob("*.jp*g"))]
    order = sorted(range(len(photos)), key=lambda at: hashlib.sha256(photos[at].name.encode()).digest())
    planted = sorted(order[: given.planted])
    defaults = Leakage()
    limits = Limits(defaults.distance, defaults.correlation)
    every = seen((opened(path) for path in photos), encoder)
    say({"photos": len(photos), **limits._asdict()})
    alarms(photos, every, limits)
    measure([photos[at] for at in planted], every.part(planted), limits, encoder)


if __name__ == "__main__":
    main()
