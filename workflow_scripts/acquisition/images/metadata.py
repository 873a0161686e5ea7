"""Removes metadata from image files: EXIF (places, serial numbers, thumbnails), XMP, IPTC, comments, profiles.

Nothing is decoded: the parts that hold pixels are copied, the others left out, and so is everything after the end of
the image (further views, embedded videos). Pixels do not change.
"""

import re

MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")  # within a scan, FF00 is data and FFD0 to FFD7 count intervals
JFIF = b"\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"
SOF = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
TABLES = frozenset({0xC4, 0xCC, 0xDB, 0xDC, 0xDD})  # Huffman, arithmetic, quantization, number of lines, interval
APP0, APP14, SOS, EOI = 0xE0, 0xEE, 0xDA, 0xD9
PNG_HEAD = 8
PNG_KEPT = frozenset({b"IHDR", b"PLTE", b"IDAT", b"tRNS", b"IEND"})


def without_metadata(data: bytes, format: str) -> bytes | None:
    """``data``, a JPEG, PNG or WebP file, without metadata; None if its structure is invalid.

    Args:
        data: the file.
        format: ``JPEG``, ``PNG`` or ``WEBP``.
    """
    try:
        return {"JPEG": _jpeg, "PNG": _png, "WEBP": _webp}[format](data)
    except (IndexError, ValueError):
        return None


def _jpeg(data: bytes) -> bytes:
    parts, at = [data[:2]], 2
    while True:
        start = data.index(b"\xff", at)  # decoders skip bytes between segments
        while data[start + 1] == 0xFF:
            start += 1
        marker = data[start + 1]
        if marker == EOI:
            return b"".join([*parts, b"\xff\xd9"])
        at = start + 2
        if marker in (0x00, 0x01) or 0xD0 <= marker <= 0xD7:
            continue
        end = at + int.from_bytes(data[at : at + 2], "big")
        if end > len(data) or end < at + 2:
            raise ValueError("segment without end")
        if marker == SOS:
            found = MARKER.search(data, end)
            if found is None:
                raise ValueError("scan without end")
            at = found.start()
            parts.append(data[start:at])
            continue
        parts.append(_segment(marker, data[start:end]))
        at = end


def _segment(marker: int, segment: bytes) -> bytes:
    """The part of a segment that is kept, including its marker and length."""
    if marker == APP0 and segment[4:9] == b"JFIF\x00":
        return JFIF  # declares YCbCr; a thumbnail after it is removed
    if marker == APP14 and segment[4:9] == b"Adobe" and len(segment) >= 16:
        return b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00" + segment[15:16]  # declares the colour transform
    return segment if marker in SOF or marker in TABLES else b""


def _png(data: bytes) -> bytes:
    parts, at, kind = [data[:PNG_HEAD]], PNG_HEAD, b""
    while kind != b"IEND":
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        kind = data[at + 4 : at + 8]
        if end > len(data):
            raise ValueError("chunk without end")
        if kind in PNG_KEPT:
            parts.append(data[at:end])
        at = end
    return b"".join(parts)


def _webp(data: bytes) -> bytes:
    """The image chunk as a simple file (RFC 9649, section 2.5); for images without transparency."""
    at = 12
    while at < len(data):
        kind, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        end = at + 8 + size + size % 2
        if kind in (b"VP8 ", b"VP8L"):
            if end > len(data):
                raise ValueError("chunk without end")
            return b"RIFF" + (4 + end - at).to_bytes(4, "little") + b"WEBP" + data[at:end]
        at = end
    raise ValueError("no picture")
