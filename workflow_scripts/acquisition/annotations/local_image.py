"""Images in the annotation source itself: their URLs give content and location, and nothing is downloaded.

``local:<sha256>/<path>`` is a file of the source, ``local:<sha256>/<path>?offset=<n>&size=<n>`` a member of a tar. As
the URL holds the image's hash, an edited image is a new URL, and the bytes are verified when they are read.
"""

import os
import re
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote, unquote

from workflow_scripts.core.errors import PipelineError

_URL = re.compile(r"local:(?P<sha256>[0-9a-f]{64})/(?P<path>[^?]*)(?:\?offset=(?P<offset>\d+)&size=(?P<size>\d+))?")


@dataclass(frozen=True)
class LocalImage:
    """A file of a source, or the ``size`` bytes at ``offset`` in it; ``path`` is empty for a source of one file."""

    sha256: str
    path: str
    offset: int = 0
    size: int | None = None

    @property
    def url(self) -> str:
        """The URL that tables hold."""
        part = "" if self.size is None else f"?offset={self.offset}&size={self.size}"
        return f"local:{self.sha256}/{quote(self.path)}{part}"

    def read(self, source: Path, max_bytes: int) -> bytes | None:
        """The image's bytes, verified; None if there are more than ``max_bytes``.

        Args:
            source: the annotation source, a folder or a file.
            max_bytes: maximum size of an image.

        Raises:
            PipelineError: the file is missing, unreadable, or changed since the annotations were read.
        """
        place = source / self.path if self.path else source
        try:
            with open(place, "rb") as stream:
                size = os.fstat(stream.fileno()).st_size if self.size is None else self.size
                if size > max_bytes:
                    return None
                data = os.pread(stream.fileno(), size, self.offset) if size else b""
        except OSError as error:
            raise PipelineError("unreadable image", place, error.strerror or error, _ADVICE) from None
        if sha256(data).hexdigest() != self.sha256:
            raise PipelineError("image changed since the annotations were read", place, self.url, _ADVICE)
        return data


_ADVICE = "restore it or keep the change, then run the same command again, which reads the source as it is now"


def parse_local(url: str) -> LocalImage | None:
    """The image of a URL that :attr:`LocalImage.url` gave; None for other URLs."""
    found = _URL.fullmatch(url)
    if found is None:
        return None
    size = None if found["size"] is None else int(found["size"])
    return LocalImage(found["sha256"], unquote(found["path"]), int(found["offset"] or 0), size)
