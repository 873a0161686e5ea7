"""Sets with object masks: a plain folder of photos with a label table, and the layout of ImageNet-S."""

import io
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.foreign import batches, readable
from workflow_scripts.core.images.decoding import UNDECODABLE
from workflow_scripts.evaluation.datasets.picture_sets import Listing, Picture, is_hidden, is_image_name, safe_parts
from workflow_scripts.evaluation.datasets.splits import Entry

IGNORE, IMAGENET_S_IGNORE = 255, 1000


class MaskFolder:
    """``labels.parquet`` (image_id, file, mask, label, dominance) beside ``images/`` and ``masks/``.

    A mask holds 0 background, 1 object, 255 ignore.

    Args:
        root: the folder.
        min_dominance: photos whose labelled object fills a smaller share of all annotated objects are left out.
    """

    def __init__(self, root: Path, min_dominance: float = 0.0) -> None:
        self.root, self.where, self.min_dominance = root, str(root), min_dominance
        kinds: dict[str, pa.DataType] = dict.fromkeys(("file", "mask", "label"), pa.string())
        if min_dominance > 0:
            kinds["dominance"] = pa.float64()
        table = root / "labels.parquet"
        with readable("unreadable label table", table, f"it must have the columns {', '.join(kinds)}"):
            rows = [row for batch in batches(table, kinds) for row in batch.to_pylist()]
        self.rows: dict[str, dict[str, Any]] = {}  # the first usable row of each file
        self.left_out: Counter[str] = Counter()
        for row in rows:
            if reason := self._unfit(row) or ("repeated_name" if row["file"] in self.rows else ""):
                self.left_out[reason] += 1
            else:
                self.rows[row["file"]] = row

    def listing(self) -> Listing:
        """Entries are named by the table's ``file``."""
        return Listing([Entry("train", row["label"], name) for name, row in self.rows.items()], self.left_out)

    def read(self, wanted: frozenset[str]) -> Iterator[Picture]:
        """Files of the listed rows."""
        for name, row in self.rows.items():
            if name in wanted:
                with readable("unreadable file", self.root, "check the dataset's folder"):
                    image, mask = ((self.root / row[part]).read_bytes() for part in ("file", "mask"))
                yield Picture(name, image, mask)

    def _unfit(self, row: dict[str, Any]) -> str:
        """Why a row can't be used, or an empty text."""
        if None in (row["file"], row["mask"], row["label"]):
            return "no_file_mask_or_label"
        if safe_parts(row["file"]) is None or safe_parts(row["mask"]) is None:
            return "unsafe_name"
        if self.min_dominance > 0 and not (row["dominance"] or 0.0) >= self.min_dominance:
            return "below_min_dominance"
        return ""


class ImageNetS:
    """ImageNet-S (Gao et al. 2022): ``validation/<class>/<image>`` and ``validation-segmentation/<class>/<name>.png``.

    A segmentation pixel holds the class id R + 256 G; 1000 is ignored, 0 is anything else. The object's id is the
    position of the image's class folder among the sorted class folders, counted from 1. If ``train/<class>/``
    exists, its images are the training split; else all images are ``train``, to be split later.
    """

    def __init__(self, root: Path) -> None:
        self.root, self.where = root, str(root)
        for name in ("validation", "validation-segmentation"):
            if not (root / name).is_dir():
                raise PipelineError("no such folder", root, name, "give the folder of an ImageNet-S release")
        self.class_ids = {path.name: i for i, path in enumerate(_folders(root / "validation"), start=1)}

    def listing(self) -> Listing:
        """Entries are named ``train|validation/<class>/<file>``."""
        left_out: Counter[str] = Counter()
        entries = []
        has_train = (self.root / "train").is_dir()
        folders = {"train": "train", "validation": "test"} if has_train else {"validation": "train"}
        for folder, split in folders.items():
            for class_folder in _folders(self.root / folder):
                for path in sorted(class_folder.iterdir()):
                    name = path.relative_to(self.root).as_posix()
                    if safe_parts(name) is None:
                        left_out["unsafe_name"] += 1
                    elif is_hidden(path.parts[-2:]):
                        left_out["hidden_file"] += 1
                    elif not is_image_name(name):
                        left_out["not_an_image_name"] += 1
                    elif class_folder.name not in self.class_ids:
                        left_out["class_not_in_validation"] += 1
                    elif folder == "validation" and not self._segmentation(path).is_file():
                        left_out["no_segmentation"] += 1
                    else:
                        entries.append(Entry(split, class_folder.name, name))
        return Listing(entries, left_out)

    def read(self, wanted: frozenset[str]) -> Iterator[Picture]:
        """Files in name order; validation images with their mask."""
        for entry in self.listing().entries:
            if entry.name not in wanted:
                continue
            path = self.root / entry.name
            mask = None
            if entry.name.startswith("validation/"):
                mask = object_mask(self._segmentation(path), self.class_ids[entry.class_name])
            with readable("unreadable file", self.root, "check the dataset's folder"):
                image = path.read_bytes()
            yield Picture(entry.name, image, mask)

    def _segmentation(self, image: Path) -> Path:
        return self.root / "validation-segmentation" / image.parent.name / f"{image.stem}.png"


def object_mask(segmentation: Path, class_id: int) -> bytes:
    """PNG mask (0 background, 1 object, 255 ignore) of one class from an ImageNet-S segmentation."""
    try:
        pixels = np.asarray(Image.open(segmentation).convert("RGB"), dtype=np.int32)
    except UNDECODABLE as error:
        raise PipelineError("corrupt segmentation", segmentation, error, "fetch the release again") from None
    ids = pixels[..., 0] + 256 * pixels[..., 1]
    buffer = io.BytesIO()
    Image.fromarray(np.where(ids == IMAGENET_S_IGNORE, IGNORE, ids == class_id).astype(np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def _folders(path: Path) -> list[Path]:
    return sorted(one for one in path.iterdir() if one.is_dir() and not is_hidden((one.name,)))
