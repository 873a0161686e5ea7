"""How often planted copies of photos are found among training images, and how often others are mistaken for copies.

Run: python tests/bench/bench_leakage.py [--planted N] FOLDER [FOLDER ...]. Each photo in the folders is looked for
among all others, where nothing should be found except the duplicates that the folders hold themselves: prints these
pairs, and how many photos are in one by distance and correlation. Then N of the photos (by a hash of their names) turn
up again, changed: prints a JSON line per change with the curve over distances. The limits are the defaults of the
stage. Wanted: identical 100 %, resized and re-encoded 99 %, mirrored and crops of 90 % of the area 90 %, false alarms
at most 1 in 1,000. The ratio is to pHash alone: within 31 bits, without crops, mirroring and alignment.
"""

import argparse
import hashlib
import io
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from workflow_scripts.evaluation.leakage.fingerprints import VIEWS, Fingerprints, print_of, stacked
from workflow_scripts.evaluation.leakage.match import Match
from workflow_scripts.evaluation.leakage.search import Limits, matches
from workflow_scripts.stages.leakage import Leakage

PLAIN = 31
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
    }


def opened(path: Path) -> Image.Image:
    """The photo in a file."""
    return Image.open(path).convert("RGB")


def prints(images: Iterator[Image.Image]) -> Fingerprints:
    """Fingerprints with mirrored views."""
    return stacked([print_of(image, mirrored=True) for image in images], mirrored=True)


def plain_views(found: Fingerprints) -> Fingerprints:
    """Those that a training image has."""
    return found._replace(hashes=found.hashes[:, :VIEWS])


def search(tests: Fingerprints, training: Fingerprints, limits: Limits) -> list[Match]:
    """All matches; the key of a training image is its row."""
    keys = [str(at) for at in range(len(training.pixels))]
    return matches(tests, [(keys, plain_views(training))], limits, {})


def found_share(tests: Fingerprints, training: Fingerprints, limits: Limits) -> float:
    """Share of test images whose own photo, that of the same row, is found."""
    own = {one.test for one in search(tests, training, limits) if int(one.train) == one.test}
    return round(len(own) / len(tests.pixels), 4)


def found_by_plain(tests: Fingerprints, training: Fingerprints) -> float:
    """The same for pHash alone."""
    differing = np.unpackbits(tests.hashes[:, 0] ^ training.hashes[:, 0], axis=1).sum(axis=1)
    return float((differing <= PLAIN).mean())


def measure(photos: list[Path], originals: Fingerprints, limits: Limits) -> None:
    """Print the rates of each change, in both directions, and the curve."""
    for name, change in changes().items():
        copies = prints(change(opened(path)) for path in photos)

        def both_ways(limits: Limits, copies: Fingerprints = copies) -> dict[str, float]:
            return {
                "training_image_changed": found_share(originals, copies, limits),
                "test_image_changed": found_share(copies, originals, limits),
            }

        plain, found = found_by_plain(originals, copies), both_ways(limits)
        ratio = round(found["training_image_changed"] / plain, 2) if plain else None
        curve = {distance: both_ways(limits._replace(distance=distance)) for distance in DISTANCES}
        say({"copy": name, "photos": len(photos), **found, "found_by_plain": plain, "ratio": ratio, "curve": curve})


def alarms(photos: list[Path], every: Fingerprints, limits: Limits) -> None:
    """Print pairs of different photos that are found, and numbers of photos that are in one."""
    widest = Limits(DISTANCES[-1], CORRELATIONS[0])
    found = [one for one in search(every, every, widest) if int(one.train) != one.test]
    for one in sorted(found, key=lambda one: one.rank):
        if one.distance <= limits.distance and one.correlation >= limits.correlation and one.test < int(one.train):
            pair = [str(photos[at]) for at in (one.test, int(one.train))]
            say({"pair": pair, "distance": one.distance, "correlation": one.correlation})
    for distance in DISTANCES:
        within = {
            least: len({one.test for one in found if one.distance <= distance and one.correlation >= least})
            for least in CORRELATIONS
        }
        say({"distance": distance, "photos_in_pairs_by_correlation": within, "photos": len(photos)})


def say(line: dict) -> None:
    """Print a JSON line."""
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Measure on the photos in some folders."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--planted", type=int, default=1_000)
    parser.add_argument("folders", nargs="+", type=Path)
    given = parser.parse_args()
    photos = [path for folder in given.folders for path in sorted(folder.rglob("*.jp*g"))]
    order = sorted(range(len(photos)), key=lambda at: hashlib.sha256(photos[at].name.encode()).digest())
    planted = sorted(order[: given.planted])
    defaults = Leakage()
    limits = Limits(defaults.distance, defaults.correlation)
    every = prints(opened(path) for path in photos)
    say({"photos": len(photos), **limits._asdict()})
    alarms(photos, every, limits)
    measure([photos[at] for at in planted], Fingerprints(*(column[planted] for column in every)), limits)


if __name__ == "__main__":
    main()
