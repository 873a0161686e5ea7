"""Downstream sets in the folder layouts that torchvision.datasets reads; nothing is fetched here."""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torchvision.datasets
from PIL import Image

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.evaluation.datasets.picture_sets import Listing, Picture
from workflow_scripts.evaluation.datasets.splits import Entry, fixed_counts


@dataclass(frozen=True)
class Official:
    """How a set is opened.

    Attributes:
        reader: class name in ``torchvision.datasets``.
        splits: our split -> arguments of the reader.
        counts: for a set without official splits: images per split as in the original evaluation (its tfds splits);
            -1 = all others. Which ones is ours, by hash: tfds's own choice is not reproducible without tfds.
        per_class: whether ``counts`` are per class.
        paths: ``loader`` (the reader takes a loader, so paths can be had), ``lazy`` (it opens files lazily),
            ``pets`` (paths are in an attribute), ``arrays`` (pixels only; stored as PNG).
    """

    reader: str
    splits: dict[str, dict[str, Any]]
    counts: dict[str, int] = field(default_factory=dict)
    per_class: bool = True
    paths: str = "loader"


def _by_name(*names: str) -> dict[str, dict[str, Any]]:
    return {name: {"split": name} for name in names}


_BY_FLAG = {"train": {"train": True}, "test": {"train": False}}
OFFICIAL = {
    "food101": Official("Food101", _by_name("train", "test")),
    "cifar10": Official("CIFAR10", _BY_FLAG, paths="arrays"),
    "cifar100": Official("CIFAR100", _BY_FLAG, paths="arrays"),
    "sun397": Official("SUN397", {"train": {}}, {"train": 50, "test": 50}),
    "cars196": Official("StanfordCars", _by_name("train", "test")),
    "aircraft": Official("FGVCAircraft", _by_name("train", "val", "test")),
    "dtd": Official("DTD", _by_name("train", "val", "test")),
    "pets": Official("OxfordIIITPet", {"train": {"split": "trainval"}, "test": {"split": "test"}}, paths="pets"),
    "caltech101": Official("Caltech101", {"train": {}}, {"train": 30, "test": -1}, paths="lazy"),
    "flowers": Official("Flowers102", _by_name("train", "val", "test")),
    "stl10": Official("STL10", _by_name("train", "test"), paths="arrays"),
    "eurosat": Official("EuroSAT", {"train": {}}, {"train": 5000, "val": 5000, "test": 5000}, per_class=False),
    "pcam": Official("PCAM", _by_name("train", "val", "test"), paths="arrays"),
}
PCAM_CLASSES = ["no tumour", "tumour"]


class TorchvisionSet:
    """One of the sets of :data:`OFFICIAL` below ``root``.

    Raises:
        PipelineError: the set is unknown, or its files are not there.
    """

    def __init__(self, name: str, root: Path, seed: int) -> None:
        if name not in OFFICIAL:
            raise PipelineError("unknown dataset", "torchvision_name", name, f"choose one of {sorted(OFFICIAL)}")
        self.official, self.root, self.where, self.seed = OFFICIAL[name], root, f"{root} ({name})", seed
        self.readers = {split: self._open(kwargs) for split, kwargs in self.official.splits.items()}

    def listing(self) -> Listing:
        """Entries are named by path below the root, or ``<split>/<row>`` where the set is one array."""
        # A reader may know only the classes of its own split, so labels are turned into names split by split.
        names = {split: _class_names(reader) for split, reader in self.readers.items()}
        classes = list(dict.fromkeys(name for known in names.values() for name in known))
        with self._readable("unreadable dataset"):
            labelled = [(split, *one) for split in self.readers for one in self._labelled(split)]
            found = [Entry(split, names[split][label], name) for split, name, label in labelled]
        # Some readers list a folder in the order of the file system.
        entries = sorted(found, key=lambda one: one.name) if self.official.counts else found
        listing = Listing(entries, classes=classes)
        if self.official.counts:
            listing.entries = fixed_counts(entries, self.official.counts, self.official.per_class, self.seed)
            listing.left_out["outside_split_counts"] = len(entries) - len(listing.entries)
        return listing

    def read(self, wanted: frozenset[str]) -> Iterator[Picture]:
        """Files as they are; arrays as PNG, which keeps every pixel."""
        if self.official.paths != "arrays":
            for entry in self.listing().entries:
                if entry.name in wanted:
                    with self._readable("unreadable dataset"):
                        data = (self.root / entry.name).read_bytes()
                    yield Picture(entry.name, data)
            return
        for split, reader in self.readers.items():
            for row in range(len(reader)):
                if (name := _row_name(split, row)) in wanted:
                    with self._readable("unreadable dataset"):
                        data = _png(reader[row][0])
                    yield Picture(name, data)

    def _open(self, kwargs: dict[str, Any]) -> Any:
        reader: Callable[..., Any] = getattr(torchvision.datasets, self.official.reader)
        loader = {"loader": str} if self.official.paths == "loader" else {}
        with self._readable("dataset not found"):
            return reader(root=str(self.root), download=False, **kwargs, **loader)

    @contextmanager
    def _readable(self, what: str) -> Iterator[None]:
        """torchvision's readers raise nearly anything on files that are damaged or of another layout."""
        try:
            yield
        except PipelineError:
            raise
        except Exception as error:  # noqa: BLE001
            value = f"{type(error).__name__}: {error}"
            advice = f"put the files of torchvision.datasets.{self.official.reader} there"
            raise PipelineError(what, self.root, value, advice) from None

    def _labelled(self, split: str) -> Iterator[tuple[str, int]]:
        reader, paths = self.readers[split], self.official.paths
        if paths == "pets":
            pairs = zip(reader._images, reader._labels, strict=True)
            yield from ((Path(path).relative_to(self.root).as_posix(), int(label)) for path, label in pairs)
            return
        if paths == "arrays":
            labels = getattr(reader, "targets", getattr(reader, "labels", None))
            for row in range(len(reader)):
                yield _row_name(split, row), int(reader[row][1] if labels is None else labels[row])
            return
        for row in range(len(reader)):
            image, label = reader[row]
            if paths == "lazy":
                image.close()
                image = image.filename
            yield Path(image).relative_to(self.root).as_posix(), int(label)


def _class_names(reader: Any) -> list[str]:
    return list(getattr(reader, "classes", getattr(reader, "categories", PCAM_CLASSES)))


def _row_name(split: str, row: int) -> str:
    return f"{split}/{row:07d}"


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
