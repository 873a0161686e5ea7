"""Photos with object masks: a label table beside two folders."""

import io
import random
from functools import cache
from pathlib import Path

from PIL import Image

from tests.fuzz.mutate import mutate_bytes
from tests.fuzz.parquet_files import parquet
from tests.fuzz.target import Files, Target
from tests.fuzz.targets.datasets import CHOICE
from tests.fuzz.targets.images import pictures
from workflow_scripts.evaluation.datasets.dataset_files import choose, class_list, write_dataset
from workflow_scripts.evaluation.datasets.mask_sets import MaskFolder, object_mask

NAMES = [f"{number}.png" for number in range(6)]


class Fuzzed(Target):
    """A folder as kind ``masks`` reads it."""

    def make(self, rng: random.Random) -> Files:
        """Label table, images and masks; some damaged, some missing."""
        table = {
            "image_id": [str(number) for number in range(6)],
            "file": [f"images/{name}" for name in NAMES],
            "mask": [f"masks/{name}" for name in NAMES],
            "label": ["cat", "dog"] * 3,
            "dominance": [0.5] * 6,
        }
        files = {"set/labels.parquet": parquet(table, rng)}
        for name in NAMES:
            for folder, data in (("images", pictures()[7]), ("masks", _mask())):
                broken = mutate_bytes(data, rng) if rng.random() < 0.02 else data
                if rng.random() > 0.01:
                    files[f"set/{folder}/{name}"] = broken
        return files

    def run(self, folder: Path) -> str:
        """List, choose, check and copy; and one mask as ImageNet-S has them."""
        if (folder / "set/masks/0.png").exists():
            object_mask(folder / "set/masks/0.png", 3)
        source = MaskFolder(folder / "set", 0.1)
        listing = source.listing()
        entries, _ = choose(listing, CHOICE, source.where)
        write_dataset(source, entries, class_list(listing, entries), folder / "out.tar", 1)
        return "accepted"


@cache
def _mask() -> bytes:
    target = io.BytesIO()
    Image.new("L", (60, 40), 1).save(target, "PNG")
    return target.getvalue()
