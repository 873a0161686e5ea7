"""How often planted copies of photos are found among training images, and how often others are mistaken for copies.

Run: python tests/bench/bench_leakage.py FOLDER [FOLDER ...]. Half of the photos in the folders (at most 2,000) turn up
in the other split, changed; the other half must not be found. The limits are the defaults of the stage, which were
chosen on other photos. Wanted: identical 100 %, resized and re-encoded 99 %, mirrored and crops of 90 % of the area
90 %, false alarms at most 1 in 1,000. Prints a JSON line per change with the curve over distances, then the curve of
false alarms. The ratio is to pHash alone: within 31 bits, without crops, mirroring and correlation.
"""

import io
import json
import sys
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from workflow_scripts.evaluation.leakage.fingerprints import Fingerprints, all_views, perceptual, whole
from workflow_scripts.evaluation.leakage.search import Limits, matches
from workflow_scripts.stages.leakage import Leakage

PLAIN = Limits(31, -1.0)
MOST, DISTANCES = 2_000, (31, 50, 60, 70, 76, 80, 84, 88, 92, 96)


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
        "crop of 90 % of each side": lambda image: cropped(image, 0.81, rng.random(2)),
        "mirrored crop of 90 % of the area": lambda image: cropped(ImageOps.mirror(image), 0.9, rng.random(2)),
    }


def photos(folders: list[str]) -> Iterator[Image.Image]:
    """The photos in some folders, in order."""
    for folder in folders:
        for path in sorted(Path(folder).rglob("*.jp*g")):
            yield Image.open(path).convert("RGB")


def prints(images: list[Image.Image], views: Callable[[Image.Image], np.ndarray]) -> Fingerprints:
    """Fingerprints of images; the hash of the pixels is that of the small picture of the whole image."""
    parts = [perceptual(views(image)) for image in images]
    pixels = np.stack([np.frombuffer(one[0].tobytes()[:8] + one[1][0].tobytes()[:8], np.uint8) for one in parts])
    return Fingerprints(pixels, *(np.stack(part) for part in zip(*parts, strict=True)), np.zeros(len(images), bool))


def rates(tests: Fingerprints, training: Fingerprints, limits: Limits, own: np.ndarray) -> tuple[float, float]:
    """Share of test images whose own photo is found, and share for which another is (its own, if any, apart)."""
    keys = [str(at) for at in range(len(training.pixels))]
    found = matches(tests, [(keys, training)], limits)
    right = {one.test for one in found if int(one.train) == own[one.test]}
    wrong = {one.test for one in found if int(one.train) != own[one.test]}
    return len(right) / len(own), len(wrong) / len(own)


def main() -> None:
    """Print the rates of each change, in both directions, and the curve."""
    images = list(islice(photos(sys.argv[1:]), MOST))
    half = len(images) // 2
    defaults = Leakage()
    limits = Limits(defaults.distance, defaults.correlation)
    whole_prints, view_prints = prints(images, whole), prints(images, all_views)
    own, none = np.arange(half), np.full(len(images) - half, -1)
    part = lambda found, rows: Fingerprints(*(column[rows] for column in found))  # noqa: E731
    first, second = slice(0, half), slice(half, None)
    _, alarms = rates(part(view_prints, second), part(whole_prints, first), limits, none)
    sys.stdout.write(json.dumps({"photos": len(images), **limits._asdict(), "false_alarms": alarms}) + "\n")
    originals = part(view_prints, first), part(whole_prints, first)
    for name, change in changes().items():
        changed = [change(image) for image in images[:half]]
        copies = prints(changed, all_views), prints(changed, whole)

        def both_ways(limits: Limits, copies: tuple[Fingerprints, Fingerprints] = copies) -> dict[str, float]:
            return {
                "training_image_changed": round(rates(originals[0], copies[1], limits, own)[0], 4),
                "test_image_changed": round(rates(copies[0], originals[1], limits, own)[0], 4),
            }

        plain = rates(originals[1], copies[1], PLAIN, own)[0]
        found = both_ways(limits)
        ratio = round(found["training_image_changed"] / plain, 2) if plain else None
        curve = {distance: both_ways(limits._replace(distance=distance)) for distance in DISTANCES}
        sys.stdout.write(
            json.dumps({"copy": name, **found, "found_by_plain": plain, "ratio": ratio, "curve": curve}) + "\n"
        )
        sys.stdout.flush()
    unseen = part(view_prints, second), part(whole_prints, first)
    for distance in DISTANCES:
        alone, both = (rates(*unseen, Limits(distance, least), none)[1] for least in (-1.0, limits.correlation))
        alarms = {"distance": distance, "false_alarms": both, "of_the_hash_alone": alone}
        sys.stdout.write(json.dumps(alarms) + "\n")


if __name__ == "__main__":
    main()
