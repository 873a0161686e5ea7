"""Probe tasks and object masks of the small procedural world, read from its tars."""

import io
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pyarrow.parquet as pq

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.evaluation.datasets.picture_sets import Listing, Picture, is_image_name, members, safe_parts
from workflow_scripts.evaluation.datasets.splits import Entry


class WorldTask:
    """A probe task: one tar with ``train|test/<class>/<name>.png``."""

    def __init__(self, tar: Path) -> None:
        self.tar, self.where = tar, str(tar)

    def listing(self) -> Listing:
        """Entries are named by their member."""
        left_out: Counter[str] = Counter()
        entries = []
        for name, _ in members(self.tar, frozenset()):
            parts = safe_parts(name)
            if parts is None:
                left_out["unsafe_name"] += 1
            elif len(parts) != 3 or parts[0] not in ("train", "val", "test") or not is_image_name(name):
                left_out["not_split_class_and_name"] += 1
            else:
                entries.append(Entry(parts[0], parts[1], name))
        return Listing(entries, left_out)

    def read(self, wanted: frozenset[str]) -> Iterator[Picture]:
        """The members named in ``wanted``."""
        for name, data in members(self.tar, wanted):
            if name in wanted:
                yield Picture(name, data)


class MasksTar:
    """Images with object masks: ``images/<id>.png``, ``masks/<id>.png``, ``labels.parquet`` (image_id, label).

    With ``train`` (a probe task that has the same classes) the masked images are all ``test`` and that task's training
    images are ``train``; alone, all are ``train``, to be split later.
    """

    def __init__(self, tar: Path, train: WorldTask | None = None) -> None:
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
