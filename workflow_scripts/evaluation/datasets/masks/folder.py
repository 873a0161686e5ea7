"""A plain folder of photos with object masks and a label table."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from workflow_scripts.core.files.foreign import batches, readable
from workflow_scripts.evaluation.datasets.picture_sets import Listing, Picture, safe_parts
from workflow_scripts.evaluation.datasets.splits import Entry


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
