"""Object masks of the demo's world, read from its tar."""

import io
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pyarrow.parquet as pq

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.evaluation.datasets.folder_sets import FolderSet
from workflow_scripts.evaluation.datasets.picture_sets import Listing, Picture, members
from workflow_scripts.evaluation.datasets.splits import Entry


class MasksTar:
    """Images with object masks: ``images/<id>.png``, ``masks/<id>.png``, ``labels.parquet`` (image_id, label).

    With ``train`` (a probe task that has the same classes) the masked images are all ``test`` and that task's training
    images are ``train``; alone, all are ``train``, to be split later.
    """

    def __init__(self, tar: Path, train: FolderSet | None = None) -> None:
        self.tar, self.train, self.where = tar, train, str(tar)

    def listing(self) -> Listing:
        """Masked images are named ``images/<id>.png``, training images by their member."""
        labels = self._labels()
        split = "train" if self.train is None else "test"
        entries, left_out = [], Counter[str]()
        for name, _ in members(self.tar, frozenset()):
            if not name.startswith("images/"):
                continue
            label = labels.get(PurePosixPath(name).stem)
            if label is None:
                left_out["no_label"] += 1
            else:
                entries.append(Entry(split, label, name))
        if self.train is not None:
            task = self.train.listing()
            entries = [one for one in task.entries if one.split != "test"] + entries
            left_out += task.left_out
            left_out["test_image_of_training_task"] += sum(one.split == "test" for one in task.entries)
        return Listing(entries, left_out)

    def read(self, wanted: frozenset[str]) -> Iterator[Picture]:
        """Masks are small PNGs and kept in memory; images are streamed."""
        if self.train is not None:
            yield from self.train.read(frozenset(name for name in wanted if not name.startswith("images/")))
        masks = {name: data for name, data in members(self.tar) if name.startswith("masks/")}
        for name, data in members(self.tar, wanted):
            if name in wanted:
                mask = masks.get("masks/" + name.removeprefix("images/"))
                if mask is None:
                    raise PipelineError("mask missing", self.tar, name, "recompute the demo world")
                yield Picture(name, data, mask)

    def _labels(self) -> dict[str, str]:
        for name, data in members(self.tar, frozenset({"labels.parquet"})):
            if name == "labels.parquet":
                table = pq.read_table(io.BytesIO(data), columns=["image_id", "label"])
                return dict(zip(table["image_id"].to_pylist(), table["label"].to_pylist(), strict=True))
        raise PipelineError("member missing", self.tar, "labels.parquet", "recompute the demo world")
