"""Downstream sets in their official layouts, by readers of torchvision.datasets and a few of ours; their download."""

import io
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torchvision.datasets
from PIL import Image

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.durable import move_folder_durable
from workflow_scripts.core.images.decoding import UNDECODABLE, decode
from workflow_scripts.evaluation.datasets import official_readers
from workflow_scripts.evaluation.datasets.picture_sets import Listing, Picture, is_image_name, safe_parts
from workflow_scripts.evaluation.datasets.registry import TORCHVISION, DownstreamSet, Torchvision
from workflow_scripts.evaluation.datasets.splits import Entry, fixed_counts

PCAM_CLASSES = ["no tumour", "tumour"]


class TorchvisionSet:
    """A set of the registry below ``root``.

    Raises:
        PipelineError: its files are missing.
    """

    def __init__(self, name: str, root: Path, seed: int) -> None:
        self.row, self.root, self.where, self.seed = TORCHVISION[name], root, f"{root} ({name})", seed
        self.official = _layout(self.row)
        options: dict[str, Any] = {"root": str(root), "download": False}
        options |= {"loader": str} if self.official.paths == "loader" else {}
        with self._readable("dataset not found"):
            reader, splits = _reader(self.official), self.official.splits
            self.readers = {split: reader(**options, **arguments) for split, arguments in splits.items()}

    def listing(self) -> Listing:
        """Entries are named by path below the root, or ``<split>/<row>`` where the set is one array.

        Further image files below the root are counted as ``in_no_split``.
        """
        # A reader may know only the classes of its own split, so labels are converted to names for each split.
        names = {split: _class_names(reader) for split, reader in self.readers.items()}
        classes = list(dict.fromkeys(name for known in names.values() for name in known))
        with self._readable("unreadable dataset"):
            labelled = [(split, *one) for split in self.readers for one in self._labelled(split)]
            found = [Entry(split, names[split][label], name) for split, name, label in labelled if safe_parts(name)]
        # Some readers list a folder in the order of the file system.
        entries = sorted(found, key=lambda one: one.name) if self.official.counts else found
        listing = Listing(entries, classes=classes)
        listing.left_out["unsafe_name"] = len(labelled) - len(found)
        if self.official.paths != "arrays":
            files = (path for path in self.root.rglob("*") if is_image_name(path.name) and path.is_file())
            names_of_files = {path.relative_to(self.root).as_posix() for path in files}
            listing.left_out["in_no_split"] = len(names_of_files - {one.name for one in entries})
        if self.official.counts:
            listing.entries = fixed_counts(entries, self.official.counts, self.official.per_class, self.seed)
            listing.left_out["outside_split_counts"] = len(entries) - len(listing.entries)
        return listing

    def read(self, wanted: frozenset[str]) -> Iterator[Picture]:
        """Files unchanged, unless they are scaled down; arrays as PNG, which is lossless."""
        most = self.official.most_pixels
        if self.official.paths != "arrays":
            for entry in self.listing().entries:
                if entry.name in wanted:
                    with self._readable("unreadable dataset"):
                        data = (self.root / entry.name).read_bytes()
                    yield Picture(entry.name, scaled_down(data, most) if most else data)
            return
        for split, reader in self.readers.items():
            for row in range(len(reader)):
                if (name := _row_name(split, row)) in wanted:
                    with self._readable("unreadable dataset"):
                        data = _encoded(reader[row][0], "PNG")
                    yield Picture(name, data)

    @contextmanager
    def _readable(self, what: str) -> Iterator[None]:
        """Convert exceptions: torchvision's readers raise nearly anything on damaged or unexpected files."""
        try:
            yield
        except PipelineError:
            raise
        except Exception as error:  # noqa: BLE001
            value = f"{type(error).__name__}: {error}"
            raise PipelineError(what, self.root, value, _advice(self.row, self.official)) from None

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


def download(name: str, root: Path) -> None:
    """Create ``root`` with the files of a dataset of the registry, by torchvision's download code.

    It writes into ``<root>.part``, which is renamed at the end; a stopped download continues there.

    Raises:
        PipelineError: its files are unavailable.
    """
    row = TORCHVISION[name]
    official = _layout(row)
    part = root.with_name(f"{root.name}.part")
    part.mkdir(parents=True, exist_ok=True)
    try:
        for arguments in official.splits.values():
            _reader(official)(root=str(part), download=True, **arguments)
    except (OSError, RuntimeError, ValueError, ImportError) as error:
        raise PipelineError("download failed", root, f"{name}: {error}", _advice(row, official)) from None
    move_folder_durable(part, root)


def _layout(row: DownstreamSet) -> Torchvision:
    assert isinstance(row.layout, Torchvision)
    return row.layout


def _reader(official: Torchvision) -> Callable[..., Any]:
    found: Callable[..., Any] = getattr(official_readers, official.reader, None) or getattr(
        torchvision.datasets, official.reader
    )
    return found


def _advice(row: DownstreamSet, official: Torchvision) -> str:
    reader = _reader(official)
    files = row.place or f"the files that {reader.__module__}.{reader.__name__} expects"
    return f"put there: {files}; see {row.homepage}"


def _class_names(reader: Any) -> list[str]:
    return list(getattr(reader, "classes", getattr(reader, "categories", PCAM_CLASSES)))


def _row_name(split: str, row: int) -> str:
    return f"{split}/{row:07d}"


def scaled_down(data: bytes, most: int) -> bytes:
    """An image as JPEG of at most about ``most`` pixels, scaled as OpenCV does: linear, without antialiasing.

    The quality is OpenCV's too. An image that can't be decoded stays as it is, for the check of all images.
    """
    try:
        image = Image.fromarray(decode(data))
    except UNDECODABLE:
        return data
    factor = math.sqrt(most / (image.width * image.height))
    if factor < 1:
        size = round(factor * image.width), round(factor * image.height)
        scale = (image.width / size[0], 0, 0, 0, image.height / size[1], 0)
        image = image.transform(size, Image.Transform.AFFINE, scale, Image.Resampling.BILINEAR)
    return _encoded(image, "JPEG", quality=95)


def _encoded(image: Image.Image, kind: str, **options: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()
