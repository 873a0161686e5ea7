"""Tars from other sources, read member by member without trusting their headers.

tarfile seeks and reads as far as a header says: a few bytes can make it allocate gigabytes or step through terabytes of
nothing. Here it gets a stream that only moves forward, ends where the file does, and refuses absurd reads.
"""

import bz2
import gzip
import lzma
import tarfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

PIECE = 1 << 20  # bytes read at a time; more than any header needs
BROKEN = (
    tarfile.TarError,
    EOFError,
    zlib.error,
    lzma.LZMAError,
    OSError,
    MemoryError,
    OverflowError,
    ValueError,
    LookupError,
    RecursionError,  # headers that tarfile does not check
)
"""Exceptions that reading a damaged or hostile tar raises."""
_PACKED: dict[bytes, Callable[[IO[bytes]], Any]] = {
    b"\x1f\x8b": lambda raw: gzip.GzipFile(fileobj=raw),
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ": lzma.LZMAFile,
    b"\x5d\x00\x00": lzma.LZMAFile,
}


@dataclass(frozen=True)
class Member:
    """A regular file in a tar: its name, and the position of its bytes in the unpacked tar."""

    name: str
    offset: int
    size: int
    _stream: "_Forward"
    is_link: bool = False

    def read(self) -> bytes:
        """The member's bytes; must be read before the next member.

        Raises:
            EOFError: the tar ends before the member does.
        """
        return b"".join(self.pieces())

    def pieces(self) -> Iterator[bytes]:
        """The member's bytes, in pieces."""
        self._stream.seek(self.offset)
        yield from self._stream.pieces(self.size)


def members(path: Path, packed: bool = True, links: bool = False) -> Iterator[Member]:
    """The regular members of a tar, in order. It must end with a block of zeros, as all common tools write it.

    That it is incomplete shows only after its last member.

    Args:
        packed: whether the tar may be compressed (gzip, bzip2, xz); offsets are those of the unpacked tar.
        links: whether hard and symbolic links are members, too; they are not followed.

    Raises:
        Exception: one of :data:`BROKEN`.
    """
    with open(path, "rb") as raw:
        head = raw.read(8)
        raw.seek(0)
        opener = next((one for magic, one in _PACKED.items() if packed and head.startswith(magic)), None)
        size = None if opener else path.stat().st_size
        stream: Any = _Forward(opener(raw) if opener else raw, size)
        with tarfile.open(fileobj=stream, mode="r:", errors="surrogateescape") as tar:
            for member in tar:
                if member.issparse():
                    raise tarfile.ReadError(f"sparse member {member.name!r}; pack the tar without --sparse")
                if member.isreg():
                    yield Member(member.name, member.offset_data, member.size, stream)
                elif links and (member.islnk() or member.issym()):
                    yield Member(member.name, member.offset_data, 0, stream, is_link=True)
        stream.check_end()


class _Forward:
    """A forward-only stream that supports the seeks that tarfile makes."""

    def __init__(self, raw: IO[bytes], size: int | None) -> None:
        self._raw, self._size, self._at = raw, size, 0
        self._header = b""  # the latest, or what is in its place

    def tell(self) -> int:
        """Bytes read or skipped so far."""
        return self._at

    def read(self, size: int) -> bytes:
        """At most ``size`` bytes, for tarfile's headers."""
        if not 0 <= size <= PIECE:
            raise tarfile.ReadError(f"a header of {size} bytes")
        data = self._header = self._raw.read(size)
        self._at += len(data)
        return data

    def check_end(self) -> None:
        """Raise ReadError if tarfile stopped at anything but the end of the archive.

        It treats a damaged header, a block that was zeroed, and the end of a file that was cut off between members
        like that end. Zeros may follow, but no data: tars that are joined byte by byte would lose all but the first.
        """
        at = self._at - len(self._header)
        if not self._header:
            raise tarfile.ReadError(f"no end of the archive: it was cut off or never closed at byte {at}")
        if self._header != bytes(tarfile.BLOCKSIZE):
            raise tarfile.ReadError(f"damaged header at byte {at}")
        if self._raw.read(PIECE).strip(b"\0"):
            raise tarfile.ReadError(f"data after the end of the archive at byte {at}")

    def seek(self, place: int, whence: int = 0) -> int:
        """Skip to ``place``; a plain file is not read on the way.

        Raises:
            EOFError: the file ends before.
        """
        if whence or place < self._at:
            raise tarfile.ReadError(f"member at {place}, before {self._at}")
        if self._size is None:
            for _ in self.pieces(place - self._at):
                pass
        elif place > self._size:
            raise EOFError(f"the file ends at byte {self._size}, but a member ends at byte {place}")
        else:
            self._at = self._raw.seek(place)
        return self._at

    def pieces(self, size: int) -> Iterator[bytes]:
        """``size`` bytes, in pieces."""
        while size > 0:
            piece = self._raw.read(min(size, PIECE))
            if not piece:
                raise EOFError(f"{size} bytes are missing at the end")
            self._at += len(piece)
            size -= len(piece)
            yield piece
