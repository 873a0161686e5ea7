"""Photos with several objects in the layout of PASCAL VOC, and pets with trimaps."""

import random
from pathlib import Path

import numpy as np

from tests.evaluation.pictures import picture
from tests.file_bytes import encoded
from tests.fuzz.mutate import mutate_bytes
from tests.fuzz.target import Files, Target
from tests.fuzz.targets.datasets import CHOICE
from workflow_scripts.evaluation.datasets.dataset_files import choose, class_list, write_dataset
from workflow_scripts.evaluation.datasets.masks.pets import PetMasks
from workflow_scripts.evaluation.datasets.masks.voc import VocMasks
from workflow_scripts.evaluation.datasets.picture_sets import PictureSet

XML = b"<annotation><object><name>cat</name></object><object><name>dog</name></object></annotation>"


class Fuzzed(Target):
    """One of the two layouts, with damaged lists, annotations and segmentations."""

    def make(self, rng: random.Random) -> Files:
        """Six photos and what is known of them."""
        made = (_voc, _pets)[rng.randrange(2)](rng)
        if rng.random() < 0.3:
            name = rng.choice([*made])
            made[name] = mutate_bytes(made[name], rng)
        if rng.random() < 0.1:
            made.pop(rng.choice([*made]))
        return made

    def run(self, folder: Path) -> str:
        """List, choose, check and copy."""
        root = folder / "set"
        source: PictureSet = VocMasks(root, 0.1) if (root / "JPEGImages").exists() else PetMasks(root)
        listing = source.listing()
        entries, _ = choose(listing, CHOICE, source.where)
        write_dataset(source, entries, class_list(listing, entries), folder / "out.tar", 1)
        return "accepted"


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
