"""The files of an annotation source that its rows may name: never a file outside the source."""

import os
import stat
from collections.abc import Mapping
from functools import cache
from pathlib import Path, PurePosixPath

from workflow_scripts.acquisition.annotations.local_image import LocalImage
from workflow_scripts.acquisition.annotations.rows import Apart

IMAGES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp")
UNKNOWN = "0" * 64


class SourceFiles:
    """Images by their path in the source.

    Args:
        source: a folder; a file has no files besides itself.
        hashes: path in the source -> sha256 of every file; None looks on the disk and gives :data:`UNKNOWN` hashes.
        images: the folder in the source that rows' paths start from.

    Attributes:
        used: paths in the source that rows have named so far.
    """

    def __init__(self, source: Path, hashes: Mapping[str, str] | None, images: str = "") -> None:
        self.source, self._hashes, self._images = source, hashes, str(PurePosixPath(images.strip("/")))
        self._top = os.path.realpath(source)
        self._inside = cache(self._folder_inside)
        self.used: set[str] = set()

    def image(self, path: str) -> LocalImage | Apart:
        """The image that a row names by ``path``, or the reason why there is none.

        ``bad_path``: the path is absolute, contains ``..`` or a NUL, or leads outside the source through a link.
        ``no_image``: no such file, or a hidden one.
        """
        pure = PurePosixPath(path)
        if "\0" in path or pure.is_absolute() or ".." in pure.parts or not pure.parts:
            return Apart.BAD_PATH
        return self.listed(str(PurePosixPath(self._images, pure)))

    def listed(self, name: str) -> LocalImage | Apart:
        """Like :meth:`image`, for a path from the top of the source as :meth:`names` gives it."""
        digest = self._digest(name)
        if digest is None:
            return Apart.NO_IMAGE
        self.used.add(name)
        return LocalImage(digest, name) if self.is_inside(name) else Apart.BAD_PATH

    def _digest(self, name: str) -> str | None:
        if self._hashes is not None:
            return self._hashes.get(name) if name else None
        hidden = any(part.startswith(".") for part in name.split("/"))
        # os.path.isfile is also false for a name that is too long for the file system
        return UNKNOWN if not hidden and self.source.is_dir() and os.path.isfile(self.source / name) else None

    def is_inside(self, name: str) -> bool:
        """Whether a listed file is in the source itself, not behind a link that leads outside it."""
        path = os.path.join(self.source, name)
        try:
            is_link = stat.S_ISLNK(os.lstat(path).st_mode)
        except (OSError, ValueError):  # its name is not UTF-8, and the listing shows it with \xff
            return False
        if is_link:
            return self._is_below(os.path.realpath(path))
        return self._inside(os.path.dirname(name))

    def _folder_inside(self, folder: str) -> bool:
        return self._is_below(os.path.realpath(os.path.join(self.source, folder)))

    def _is_below(self, real: str) -> bool:
        return real == self._top or real.startswith(self._top + os.sep)

    def names(self, everywhere: bool = False) -> list[str]:
        """Paths of all files below the folder of images, or in the whole source, sorted; hidden ones are left out."""
        top = "." if everywhere else self._images
        if self._hashes is not None:
            return sorted(name for name in self._hashes if top == "." or name.startswith(f"{top}/"))
        found: list[str] = []
        for folder, folders, names in os.walk(os.path.join(self.source, top)):
            folders[:] = [name for name in folders if not name.startswith(".")]
            visible = (os.path.join(folder, name) for name in names if not name.startswith("."))
            found += (os.path.relpath(path, self.source) for path in visible)
        return sorted(found)

    def unused_images(self) -> list[str]:
        """Paths of images that no row has named, sorted."""
        return [name for name in self.names() if name not in self.used and is_image_name(name)]


def is_image_name(name: str) -> bool:
    """Whether a file's suffix is that of an image."""
    return name.lower().endswith(IMAGES)
