"""Datasets stored as ``<split>.tar.gz`` or ``<split>/`` with ``<class>/<image>`` inside, or as class folders alone; and
the tars of the demo's world: one with all splits of a task, and one of images with object masks."""

import io
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.evaluation.datasets.picture_sets import (
    Listing,
    Picture,
    is_hidden,
    is_image_name,
    members,
    safe_parts,
)
from workflow_scripts.evaluation.datasets.splits import SPLITS, Entry

ARCHIVES = (".tar.gz", ".tgz", ".tar")


class FolderSet:
    """Images by class below ``root``.

    Each of train, val, test is a subfolder or an archive of that name; a folder without any of them is read as one
    unsplit set of class folders (all ``train``).

    Args:
        one_tar: ``root`` is a tar with ``<split>/<class>/<image>``.
    """

    def __init__(self, root: Path, one_tar: bool = False) -> None:
        self.root, self.where = root, str(root)
        self.parts = {"": root} if one_tar else _parts(root)

    def listing(self) -> Listing:
        """Entries are named ``<split>/<class>/<file>``, so equal file names in two splits are two images."""
        left_out: Counter[str] = Counter()
        entries = []
        for split, path in self.parts.items():
            for name in _names(path):
                parts = safe_parts(name)
                if parts is None:
                    left_out["unsafe_name"] += 1
                elif is_hidden(parts):
                    left_out["hidden_file"] += 1
                elif not is_image_name(name):
                    left_out["not_an_image_name"] += 1
                elif len(parts) != (2 if split else 3) or (split or parts[0]) not in SPLITS:
                    left_out["not_class_and_name"] += 1
                else:
                    entries.append(Entry(split or parts[0], parts[-2], f"{split}/{name}".removeprefix("/")))
        if not entries:
            advice = "expected <class>/<name>.<ext> below train and test folders or archives"
            raise PipelineError("no images", self.root, dict(left_out), advice)
        return Listing(entries, left_out)

    def read(self, wanted: frozenset[str]) -> Iterator[Picture]:
        """Archives are streamed once, folders read file by file."""
        for split, path in self.parts.items():
            start = f"{split}/" if split else ""
            inside = frozenset(name.removeprefix(start) for name in wanted if name.startswith(start))
            if path.is_dir():
                found = ((name, (path / name).read_bytes()) for name in _names(path) if name in inside)
            else:
                found = (member for member in members(path, inside.__contains__) if member[0] in inside)
            yield from (Picture(start + name, data) for name, data in found)


def look(root: Path) -> None:
    """Stop, as a listing would, if folders hold no image of a class; archives are not read.

    Raises:
        PipelineError: there is none, or a split is missing.
    """
    found = FolderSet(root)
    inside = (file for path in found.parts.values() for file in path.glob("*/*"))
    images = (file for file in inside if is_image_name(file.name) and not is_hidden(file.parts[-2:]))
    if all(path.is_dir() for path in found.parts.values()) and next(images, None) is None:
        found.listing()


def _parts(root: Path) -> dict[str, Path]:
    if not root.is_dir():
        raise PipelineError("no such folder", root, root.name, "check the dataset's path in the config")
    found = {}
    for split in SPLITS:
        candidates = [root / split, *(root / f"{split}{ending}" for ending in ARCHIVES)]
        there = [path for path in candidates if path.exists()]
        if len(there) > 1:
            raise PipelineError("repeated split", root, [path.name for path in there], "keep one of them")
        if there:
            found[split] = there[0]
    if found and not {"train", "test"} <= found.keys():
        raise PipelineError("split missing", root, sorted(found), "give both train and test, or class folders alone")
    return found or {"train": root}


def _names(path: Path) -> Iterator[str]:
    if path.is_dir():
        yield from sorted(one.relative_to(path).as_posix() for one in path.rglob("*") if one.is_file())
    else:
        yield from (name for name, _ in members(path, lambda _: False))


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
