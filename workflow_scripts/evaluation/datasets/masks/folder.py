"""A plain folder of photos with object masks and a label table."""

from collections import Counter
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.foreign import batches, readable
from workflow_scripts.evaluation.datasets.masks.objects import (
    IGNORE,
    MOST_OBJECTS,
    object_picture,
    read_bytes,
    read_numbers,
)
from workflow_scripts.evaluation.datasets.picture_sets import Listing, Picture, safe_parts
from workflow_scripts.evaluation.datasets.splits import Entry

OBJECTS = "object_labels"


class MaskFolder:
    """``labels.parquet`` (image_id, file, mask, label, dominance, object_labels) beside ``images/`` and ``masks/``.

    A mask holds 0 background, 1 object, 255 ignore. In a row with ``object_labels``, a list, it is a map of objects
    instead: pixels of value i belong to the object whose label is the i-th.

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
            if OBJECTS in pq.read_schema(table).names:
                kinds[OBJECTS] = pa.list_(pa.string())
            self.rows = [row for batch in batches(table, kinds) for row in batch.to_pylist()]

    def listing(self) -> Listing:
        """Entries are named by the table's ``file``."""
        rows, left_out = self._usable
        return Listing([Entry("train", row["label"], name) for name, row in rows.items()], left_out)

    def read(self, wanted: frozenset[str]) -> Iterator[Picture]:
        """Files of the listed rows."""
        for name, row in self._usable[0].items():
            if name in wanted:
                image, mask = read_bytes(self.root / name), self.root / row["mask"]
                if row.get(OBJECTS):
                    yield _with_objects(row, image, mask)
                else:
                    yield Picture(name, image, read_bytes(mask))

    @cached_property
    def _usable(self) -> tuple[dict[str, dict[str, Any]], Counter[str]]:
        """File -> the first usable row that names it, and how many rows are left out, by reason."""
        found: dict[str, dict[str, Any]] = {}
        left_out: Counter[str] = Counter()
        for row in self.rows:
            if reason := self._unfit(row) or ("repeated_name" if row["file"] in found else ""):
                left_out[reason] += 1
            else:
                found[row["file"]] = row
        return found, left_out

    def _unfit(self, row: dict[str, Any]) -> str:
        """Why a row can't be used, or an empty text."""
        if None in (row["file"], row["mask"], row["label"]):
            return "no_file_mask_or_label"
        if safe_parts(row["file"]) is None or safe_parts(row["mask"]) is None:
            return "unsafe_name"
        if self.min_dominance > 0 and not (row["dominance"] or 0.0) >= self.min_dominance:
            return "below_min_dominance"
        if not row.get(OBJECTS):
            return ""
        if None in row[OBJECTS] or row["label"] not in row[OBJECTS]:
            return "label_not_among_objects"
        return f"more_than_{MOST_OBJECTS}_objects" if len(row[OBJECTS]) > MOST_OBJECTS else ""


def _with_objects(row: dict[str, Any], image: bytes, mask: Path) -> Picture:
    ids, labels = read_numbers(mask), row[OBJECTS]
    if (largest := int(ids[ids != IGNORE].max(initial=0))) > len(labels):
        value = f"a pixel of object {largest}, but {OBJECTS} has {len(labels)} labels"
        raise PipelineError("object without a label", mask, value, "correct the mask or its row in labels.parquet")
    return object_picture(row["file"], image, ids, labels, row["label"])
