"""Images and labels in WebDataset shards."""

import json
from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path, PurePosixPath

from workflow_scripts.evaluation.datasets.picture_sets import Listing, Picture, is_image_name, members, safe_parts
from workflow_scripts.evaluation.datasets.splits import Entry, split_files

LABELS = (".cls", ".cls.txt", ".json")


def _key_of(member: tuple[str, bytes]) -> tuple[PurePosixPath, str]:
    place = PurePosixPath(member[0])
    return place.parent, place.name.partition(".")[0]


class WebDatasetSet:
    """Tars of samples ``<key>.<image ending>`` with ``<key>.cls``, or the field ``label`` of ``<key>.json``.

    Members of a sample follow each other. Where the folder has ``classnames.txt``, labels are positions in its lines,
    counted from 0. Each tar belongs to the split that its path names.
    """

    def __init__(self, root: Path) -> None:
        self.root, self.where = root, str(root)
        self.shards = split_files(root, (".tar", ".tar.gz", ".tgz"))
        names = root / "classnames.txt"
        self.classes = names.read_text(encoding="utf-8").splitlines() if names.is_file() else []

    def listing(self) -> Listing:
        """Entries are named ``<shard>/<member>``."""
        entries, left_out = [], Counter[str]()
        for split, path in self.shards:
            seen = set()
            for images, label in self._samples(path):
                if not images:
                    left_out["no_image"] += 1
                for name in images:
                    if safe_parts(name) is None:
                        left_out["unsafe_name"] += 1
                    elif label is None:
                        left_out["no_label"] += 1
                    elif name in seen:
                        left_out["repeated_name"] += 1
                    else:
                        seen.add(name)
                        entries.append(Entry(split, label, self._name(path, name)))
        return Listing(entries, left_out, list(self.classes))

    def read(self, wanted: frozenset[str]) -> Iterator[Picture]:
        """Shards are streamed once; of members with one name, the first is read."""
        for _, path in self.shards:
            left = {name.removeprefix(self._name(path, "")) for name in wanted if name.startswith(self._name(path, ""))}
            for name, data in members(path, left.__contains__):
                if name in left:
                    left.discard(name)
                    yield Picture(self._name(path, name), data)

    def _name(self, path: Path, member: str) -> str:
        return f"{path.relative_to(self.root).as_posix()}/{member}"

    def _samples(self, path: Path) -> Iterator[tuple[list[str], str | None]]:
        """Images and class of each sample."""
        for _, sample in groupby(members(path, lambda name: name.endswith(LABELS)), _key_of):
            images, label = list[str](), None
            for name, data in sample:
                if name.endswith(LABELS):
                    label = self._class_of(name, data)
                elif is_image_name(name):
                    images.append(name)
            yield images, label

    def _class_of(self, name: str, data: bytes) -> str | None:
        """The class that a member states, or None."""
        try:
            label = json.loads(data)["label"] if name.endswith(".json") else data.decode().strip()
            if self.classes:
                return self.classes[int(label)] if int(label) >= 0 else None
        except (ValueError, KeyError, IndexError, TypeError, RecursionError):
            return None
        return str(label) if isinstance(label, int) or (isinstance(label, str) and label) else None
