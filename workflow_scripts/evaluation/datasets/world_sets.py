"""Object masks of the demo's world, read from its tar."""

import io
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq

from workflow_scripts.evaluation.datasets.folder_sets import FolderSet
from workflow_scripts.evaluation.datasets.picture_sets import Listing, Picture, members
from workflow_scripts.evaluation.datasets.splits import Entry


class MasksTar:
    """Images with object masks: ``images/<id>.png``, ``masks/<id>.png``, ``labels.parquet`` (image_id, label).

    With ``train`` (a probe task that has the same classes) the masked images are all ``test`` and that task's training
    images are ``train``; alone, all are ``train``, to be split later. The tar is small, and kept in memory.
    """

    def __init__(self, tar: Path, train: FolderSet | None = None) -> None:
        self.train, self.where, self.members = train, str(tar), dict(members(tar))
        table = pq.read_table(io.BytesIO(self.members["labels.parquet"]), columns=["image_id", "label"])
        self.labels = {f"images/{row['image_id']}.png": row["label"] for row in table.to_pylist()}

    def listing(self) -> Listing:
        """Masked images are named ``images/<id>.png``, training images by their member."""
        split = "train" if self.train is None else "test"
        entries, left_out = [Entry(split, label, name) for name, label in self.labels.items()], Counter[str]()
        if self.train is not None:
            task = self.train.listing()
            entries = [one for one in task.entries if one.split != "test"] + entries
            left_out += task.left_out
            left_out["test_image_of_training_task"] += sum(one.split == "test" for one in task.entries)
        return Listing(entries, left_out)

    def read(self, wanted: frozenset[str]) -> Iterator[Picture]:
        """Training images first."""
        if self.train is not None:
            yield from self.train.read(frozenset(name for name in wanted if name not in self.labels))
        for name in self.labels:
            if name in wanted:
                yield Picture(name, self.members[name], self.members[name.replace("images/", "masks/", 1)])
