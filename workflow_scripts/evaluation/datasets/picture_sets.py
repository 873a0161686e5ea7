"""The interface of downstream datasets: entries to choose from, then the chosen images in source order."""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import NamedTuple, Protocol

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files import tars
from workflow_scripts.evaluation.datasets.splits import Entry

LARGEST = 256 * 2**20
"""Maximum bytes of a member; photos of these datasets are far smaller."""
LONGEST_NAME, LONGEST_PATH = 250, 2000
"""Bytes of a file's name, and characters of a path: what file systems allow, less an ending and the folder's path."""
IMAGE_NAMES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".ppm", ".gif"})

SERVICE_FOLDERS = frozenset({"__MACOSX", "@eaDir", "#recycle", "$RECYCLE.BIN"})


class Picture(NamedTuple):
    """A chosen image.

    Attributes:
        name: its entry's name.
        image: encoded bytes.
        mask: PNG of the pixels of its label (0 background, 1 object, 255 ignore), if known.
    """

    name: str
    image: bytes
    mask: bytes | None = None


@dataclass
class Listing:
    """All images of a set, in source order.

    Attributes:
        entries: images with the split that the source gives them (``train`` where it gives none).
        left_out: number of files that are not candidates, by reason.
        classes: class names in the set's own label order; empty where labels follow the sorted names.
    """

    entries: list[Entry]
    left_out: Counter[str] = field(default_factory=Counter)
    classes: list[str] = field(default_factory=list)


class PictureSet(Protocol):
    """A downstream set at its source.

    Attributes:
        where: the source's name, for messages.
    """

    where: str

    def listing(self) -> Listing:
        """The set's images, not yet read."""
        ...

    def read(self, wanted: frozenset[str]) -> Iterator[Picture]:
        """The images named in ``wanted``, in the order of the listing."""
        ...


def members(path: Path, wanted: Callable[[str], bool] = lambda _: True) -> Iterator[tuple[str, bytes]]:
    """Regular members of the tar ``path`` (compressed or not) in order, as name and bytes.

    Args:
        wanted: whether to read the member with this name; others are yielded with empty bytes.

    Raises:
        PipelineError: the file is not a tar, is truncated, or has an absurdly large member.
    """
    try:
        for member in tars.members(path):
            reads = wanted(member.name)
            if reads and member.size > LARGEST:
                value = f"{member.name!r} of {member.size} bytes"
                raise PipelineError("member too large", path, value, f"at most {LARGEST} bytes are read")
            yield member.name, member.read() if reads else b""
    except tars.BROKEN as error:
        advice = "fetch the archive again, or check the path in the config"
        raise PipelineError("broken archive", path, f"{type(error).__name__}: {error}", advice) from None


def safe_parts(name: str) -> tuple[str, ...] | None:
    """Parts of a relative member name, or None if it points outside its folder, is not printable, or is too long."""
    parts = tuple(part for part in PurePosixPath(name).parts if part != ".")
    if not parts or name.startswith("/") or ".." in parts or "\\" in name or not name.isprintable():
        return None
    if len(name) > LONGEST_PATH or any(len(os.fsencode(part)) > LONGEST_NAME for part in parts):
        return None  # asking the file system for it would fail
    return parts


def is_hidden(parts: Sequence[str]) -> bool:
    """Whether a path is that of a hidden file, or of one that an archiver or a file server left beside the images."""
    return any(part.startswith(".") or part in SERVICE_FOLDERS for part in parts)


def is_image_name(name: str) -> bool:
    """Whether a file name ends like an image's."""
    return PurePosixPath(name).suffix.lower() in IMAGE_NAMES
