"""Numbers of bytes as people write and read them."""

import re

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGTP]I?)?B?")
_UNITS = {"": 1, **{letter: 1000**power for power, letter in enumerate("KMGTP", start=1)}}
_UNITS |= {f"{letter}I": 1024**power for power, letter in enumerate("KMGTP", start=1)}


def parse_size(text: str) -> int:
    """Bytes of ``500G``, ``1.5T``, ``200 MiB`` or ``0``; K, M, G, T, P are powers of 1000, Ki, Mi... of 1024.

    Raises:
        ValueError: it is no such number.
    """
    match = _SIZE.fullmatch(text.strip().upper())
    if match is None:
        raise ValueError(f"{text!r} is not a size; write it like 500G, 1.5T or 200MiB")
    return int(float(match[1]) * _UNITS[match[2] or ""])


def human(size: float) -> str:
    """Bytes in the unit that gives one to three digits before the point: ``12.3 GB``."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} PB"
