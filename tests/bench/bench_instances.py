"""CPU time and memory to list a set in COCO's layout: ``python -m tests.bench.bench_instances [images] [instances]``.

The file is made up, as large as that of COCO's validation images by default. The baseline is pycocotools' own reader,
which loads the file and encodes every outline. Each runs in a process of its own. Prints one JSON line; ``grown_mb`` is
the peak of memory less that after the imports.
"""

import json
import math
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from workflow_scripts.evaluation.datasets.masks.coco import CocoMasks
from workflow_scripts.evaluation.datasets.masks.objects import LabelRule

IMAGES, INSTANCES, CATEGORIES, CROWDS = 5000, 36_781, 80, 0.01
WIDTH, HEIGHT = 640, 480


def outline(rng: random.Random) -> list[list[float]]:
    """A round polygon of 8 to 50 corners within the image, two decimals each, as COCO writes them."""
    x, y, size = rng.uniform(80, WIDTH - 80), rng.uniform(80, HEIGHT - 80), rng.uniform(4, 79)
    corners = rng.randint(8, 50)
    angles = (2 * math.pi * one / corners for one in range(corners))
    rays = ((size * rng.uniform(0.8, 1), angle) for angle in angles)
    return [[round(value, 2) for r, a in rays for value in (x + r * math.cos(a), y + r * math.sin(a))]]


def make(root: Path, images: int, instances: int) -> Path:
    """The file, and an empty photo for each of its images."""
    rng = random.Random(0)
    runs = {"size": [HEIGHT, WIDTH], "counts": [1000] * (WIDTH * HEIGHT // 1000) + [WIDTH * HEIGHT % 1000]}
    photos = [{"id": one, "file_name": f"{one:012d}.jpg", "height": HEIGHT, "width": WIDTH} for one in range(images)]
    things = []
    for one in range(instances):
        crowd = rng.random() < CROWDS
        image, category = rng.randrange(images), rng.randrange(CATEGORIES)
        thing = {"id": one, "image_id": image, "category_id": category, "iscrowd": int(crowd), "area": 1.0}
        things.append({**thing, "segmentation": runs if crowd else outline(rng), "bbox": [0.0, 0.0, 1.0, 1.0]})
    names = [{"id": one, "name": f"class {one}"} for one in range(CATEGORIES)]
    (root / "annotations").mkdir()
    path = root / "annotations/instances_val2017.json"
    path.write_text(json.dumps({"images": photos, "annotations": things, "categories": names}))
    (root / "val2017").mkdir()
    for photo in photos:
        (root / "val2017" / str(photo["file_name"])).touch()
    return path


def ours(root: Path) -> int:
    """Photos with a label."""
    return len(CocoMasks(root, LabelRule()).listing().entries)


def baseline(root: Path) -> int:
    """Photos with an outline that pycocotools encodes."""
    from pycocotools.coco import COCO

    coco = COCO(str(root / "annotations/instances_val2017.json"))
    outlines = {one: coco.annToRLE(thing) for one, thing in coco.anns.items() if not thing["iscrowd"]}
    return len({coco.anns[one]["image_id"] for one in outlines})


def peak_mb() -> int:
    """Largest memory of this process so far; the kernel's ru_maxrss would be that of its parent."""
    status = Path("/proc/self/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) >> 10


def read_once(name: str, root: Path) -> None:
    """Print photos, CPU seconds and memory of ``ours`` or ``baseline`` as one line of JSON."""
    import pycocotools.coco  # noqa: F401  # before the clock starts

    started, before = time.process_time(), peak_mb()
    photos = (ours if name == "ours" else baseline)(root)
    found = {"photos": photos, "cpu_s": round(time.process_time() - started, 2), "grown_mb": peak_mb() - before}
    sys.stdout.write(json.dumps(found) + "\n")


def main(given: list[str]) -> None:
    """Make the set, and measure both readers."""
    if given[:1] == ["--one"]:
        read_once(given[1], Path(given[2]))
        return
    found: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as name:
        path = make(Path(name), *[int(one) for one in given], *[IMAGES, INSTANCES][len(given) :])
        file_mb = path.stat().st_size >> 20
        for one in ("ours", "baseline"):
            command = [sys.executable, "-m", "tests.bench.bench_instances", "--one", one, name]
            output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            found[one] = json.loads(output.splitlines()[-1])
    ratios = {key: round(found["ours"][key] / found["baseline"][key], 2) for key in ("cpu_s", "grown_mb")}
    sys.stdout.write(json.dumps({"file_mb": file_mb, **found, "ours_over_baseline": ratios}) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
