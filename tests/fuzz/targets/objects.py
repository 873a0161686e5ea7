"""Photos with several objects: COCO's instances, the layout of PASCAL VOC, and pets with trimaps."""

import json
import random
from pathlib import Path

import numpy as np

from tests.evaluation.pictures import encoded, picture
from tests.fuzz.mutate import mutate_bytes, mutate_tree
from tests.fuzz.target import Files, Target
from tests.fuzz.targets.datasets import CHOICE
from workflow_scripts.evaluation.datasets.dataset_files import choose, class_list, write_dataset
from workflow_scripts.evaluation.datasets.masks.coco import CocoMasks
from workflow_scripts.evaluation.datasets.masks.objects import LabelRule
from workflow_scripts.evaluation.datasets.masks.pets import PetMasks
from workflow_scripts.evaluation.datasets.masks.voc import VocMasks
from workflow_scripts.evaluation.datasets.picture_sets import PictureSet

XML = b"<annotation><object><name>cat</name></object><object><name>dog</name></object></annotation>"
OUTLINES = (
    [[1.0, 1.0, 8.0, 1.0, 8.0, 9.0]],
    [[0, 0, 10, 0, 10, 12, 0, 12], [1, 1, 3, 1, 3, 3]],
    {"size": [12, 10], "counts": [0, 24, 96]},
    {"size": [12, 10], "counts": "0h0P3"},
)


class Fuzzed(Target):
    """One of the three layouts, with damaged lists, annotations, outlines and segmentations."""

    def make(self, rng: random.Random) -> Files:
        """Six photos and what is known of them."""
        made = (_coco, _voc, _pets)[rng.randrange(3)](rng)
        if rng.random() < 0.3:
            name = rng.choice([*made])
            made[name] = mutate_bytes(made[name], rng)
        if rng.random() < 0.1:
            made.pop(rng.choice([*made]))
        return made

    def run(self, folder: Path) -> str:
        """List, choose, check and copy."""
        root, rule = folder / "set", LabelRule("largest", 0.1)
        source: PictureSet
        if (root / "train").exists():
            source = CocoMasks(root, rule)
        else:
            source = VocMasks(root, rule) if (root / "JPEGImages").exists() else PetMasks(root)
        listing = source.listing()
        entries, _ = choose(listing, CHOICE, source.where)
        write_dataset(source, entries, class_list(listing, entries), folder / "out.tar", 1)
        return "accepted"


def _coco(rng: random.Random) -> dict[str, bytes]:
    tree = {
        "images": [{"id": one, "file_name": f"{one}.png", "height": 12, "width": 10} for one in range(6)],
        "annotations": [
            {"id": one, "image_id": one % 6, "category_id": one % 2, "segmentation": rng.choice(OUTLINES), "iscrowd": 0}
            for one in range(9)
        ],
        "categories": [{"id": 0, "name": "cat"}, {"id": 1, "name": "dog"}],
    }
    text = json.dumps(mutate_tree(tree, rng) if rng.random() < 0.7 else tree, ensure_ascii=True)
    photos = {f"set/train/{one}.png": picture(one) for one in range(6)}
    return {**photos, "set/annotations/instances_train.json": text.encode()}


def _voc(rng: random.Random) -> dict[str, bytes]:
    ids = np.random.default_rng(rng.randrange(9)).integers(0, 4, (12, 10)).astype(np.uint8)
    made = {}
    for one in range(6):
        made[f"set/JPEGImages/{one}.jpg"] = picture(one)
        made[f"set/SegmentationObject/{one}.png"] = encoded(np.where(ids == 3, 255, ids))
        if rng.random() < 0.9:
            made[f"set/SegmentationClass/{one}.png"] = encoded(np.array([0, 8, 12, 255], np.uint8)[ids])
        made[f"set/Annotations/{one}.xml"] = mutate_bytes(XML, rng) if rng.random() < 0.05 else XML
    return made


def _pets(rng: random.Random) -> dict[str, bytes]:
    made = {"set/annotations/list.txt": "".join(f"a_{one} 1 1 1\nb_{one} 2 1 1\n" for one in range(3)).encode()}
    for one in range(3):
        for breed in "ab":
            made[f"set/images/{breed}_{one}.jpg"] = picture(one)
            made[f"set/annotations/trimaps/{breed}_{one}.png"] = encoded(np.full((12, 10), rng.randint(1, 3), np.uint8))
    return made
