"""A small set in COCO's official layout, as its format page describes it."""

import json
from pathlib import Path
from typing import Any

from tests.evaluation.pictures import picture

HEIGHT, WIDTH = 12, 10
CATEGORIES = [
    {"id": 18, "name": "dog", "supercategory": "animal"},
    {"id": 17, "name": "cat", "supercategory": "animal"},
]


def box(left: float, top: float, right: float, bottom: float) -> list[list[float]]:
    """An upright rectangle as polygons."""
    return [[left, top, right, top, right, bottom, left, bottom]]


def photo(number: int, **change: Any) -> dict[str, Any]:
    """An entry of ``images``."""
    own = {"id": number, "file_name": f"{number:012d}.png", "height": HEIGHT, "width": WIDTH, "license": 1}
    return {**own, **change}


def thing(number: int, image: int, category: int, segmentation: Any, **change: Any) -> dict[str, Any]:
    """An entry of ``annotations``."""
    own = {"id": number, "image_id": image, "category_id": category, "segmentation": segmentation, "iscrowd": 0}
    return {**own, "area": 1.0, "bbox": [0, 0, 1, 1], **change}


def write_part(
    root: Path, part: str, images: list[Any], annotations: list[Any], categories: Any = CATEGORIES, folder: str = ""
) -> Path:
    """``annotations/instances_<part>.json``, and the photos of the images whose names are plain."""
    (root / "annotations").mkdir(parents=True, exist_ok=True)
    content = {"info": {}, "licenses": [], "images": images, "annotations": annotations, "categories": categories}
    (root / f"annotations/instances_{part}.json").write_text(json.dumps(content))
    photos = root / (folder or part)
    photos.mkdir(parents=True, exist_ok=True)
    for one in images:
        if isinstance(name := one.get("file_name"), str) and "/" not in name and name:
            (photos / name).write_bytes(picture(len(name)))
    return root
