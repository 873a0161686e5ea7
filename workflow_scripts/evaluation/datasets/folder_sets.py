"""Datasets stored as ``<split>.tar.gz`` or ``<split>/`` with ``<class>/<image>`` inside, or as class folders alone; and
one tar with all splits, as the demo's world writes its tasks."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.evaluation.datasets.picture_sets import Listing, Picture, is_image_name, members, safe_parts
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
                found = (member for member in members(path, inside) if member[0] in inside)
            yield from (Picture(start + name, data) for name, data in found)


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
        yield from (name for name, _ in members(path, frozenset()))
