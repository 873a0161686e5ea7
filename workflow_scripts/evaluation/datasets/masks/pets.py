"""The official layout of Oxford-IIIT Pets (Parkhi et al. 2012, CVPR)."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.evaluation.datasets.masks.objects import IGNORE, png, read_bytes, read_numbers
from workflow_scripts.evaluation.datasets.picture_sets import Listing, Picture, safe_parts
from workflow_scripts.evaluation.datasets.splits import Entry

LISTS = {"trainval": "train", "test": "test"}
UNSPLIT = {"list": "train"}
TRIMAP = {1: 1, 2: 0, 3: IGNORE}
"""Pet, background, and the border that is neither -> values of a mask."""


class PetMasks:
    """``images/<breed>_<number>.jpg``, ``annotations/trimaps/<breed>_<number>.png`` and lists of names.

    A line of ``annotations/trainval.txt``, ``test.txt`` or ``list.txt`` has a name, the number of its breed, and two
    other numbers; lines that start with # are comments. ``list.txt`` is read if one of the others is missing.
    """

    def __init__(self, root: Path) -> None:
        self.root, self.where = root, str(root)
        lists = root / "annotations"
        split = all((lists / f"{name}.txt").is_file() for name in LISTS)
        self.lists = {lists / f"{name}.txt": split for name, split in (LISTS if split else UNSPLIT).items()}

    def listing(self) -> Listing:
        """Entries are named ``images/<name>.jpg``; the class is the name of the breed."""
        left_out: Counter[str] = Counter()
        entries, seen = [], set()
        for path, split in self.lists.items():
            for name in _names(path):
                if safe_parts(name) is None:
                    left_out["unsafe_name"] += 1
                elif name in seen:
                    left_out["repeated_name"] += 1
                elif not self._image(name).is_file():
                    left_out["no_image"] += 1
                elif not self._trimap(name).is_file():
                    left_out["no_segmentation"] += 1
                else:
                    entries.append(Entry(split, name.rpartition("_")[0], f"images/{name}.jpg"))
                seen.add(name)
        if not entries:
            advice = "give the folder with images/ and annotations/ of the unpacked archives"
            raise PipelineError("no images", self.root, dict(left_out), advice)
        return Listing(entries, left_out)

    def read(self, wanted: frozenset[str]) -> Iterator[Picture]:
        """Images with their masks, in the order of the lists."""
        for entry in self.listing().entries:
            if entry.name in wanted:
                name = entry.name.removeprefix("images/").removesuffix(".jpg")
                yield Picture(entry.name, read_bytes(self._image(name)), trimap_mask(self._trimap(name)))

    def _image(self, name: str) -> Path:
        return self.root / "images" / f"{name}.jpg"

    def _trimap(self, name: str) -> Path:
        return self.root / "annotations/trimaps" / f"{name}.png"


def trimap_mask(path: Path) -> bytes:
    """PNG mask (0 background, 1 object, 255 ignore) from a trimap.

    Raises:
        PipelineError: it is damaged, or has other values.
    """
    trimap = read_numbers(path)
    if strange := sorted(set(np.unique(trimap).tolist()) - TRIMAP.keys()):
        advice = f"a trimap has the values {', '.join(map(str, TRIMAP))}: fetch the dataset again"
        raise PipelineError("corrupt segmentation", path, f"value {strange[0]}", advice)
    values = np.zeros(256, np.uint8)
    values[list(TRIMAP)] = list(TRIMAP.values())
    return png(values[trimap])


def _names(path: Path) -> Iterator[str]:
    breeds: dict[str, str] = {}
    text = read_bytes(path).decode("utf-8", "replace")
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, *numbers = line.split()
        breed = name.rpartition("_")[0]
        if not breed or not numbers or breeds.setdefault(breed, numbers[0]) != numbers[0]:
            value = f"line {number}: {line[:100]!r}"
            advice = "a line is a name <breed>_<number> and the number of the breed: fetch the dataset again"
            raise PipelineError("corrupt list of images", path, value, advice)
        yield name
