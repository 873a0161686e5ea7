"""Numbers of bytes as people write and read them, and counts on a command line."""

import argparse
import re

from workflow_scripts.core.errors import PipelineError

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGTP]I?)?B?")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_UNITS = {"": 1, **{letter: 1000**power for power, letter in enumerate("KMGTP", start=1)}}
_UNITS |= {f"{letter}I": 1024**power for power, letter in enumerate("KMGTP", start=1)}


def parse_size(text: str) -> int:
    """Bytes of ``500G``, ``1.5T``, ``200 MiB`` or ``0``; K, M, G, T, P are powers of 1000, Ki, Mi... of 1024.

    Raises:
        PipelineError: it is no such number.
    """
    match = _SIZE.fullmatch(text.strip().upper())
    if match is None:
        raise PipelineError("not a size", "the command line", repr(text), "write it like 500G, 1.5T or 200MiB")
    return int(float(match[1]) * _UNITS[match[2] or ""])


def human(size: float) -> str:
    """Bytes in the unit that gives one to three digits before the point: ``12.3 GB``."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} PB"


def at_least_one(text: str) -> int:
    """A whole number of one or more, for argparse."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of 1 or more")
    return int(text)


def days(text: str) -> float:
    """A number of days, not negative, for argparse."""
    if _NUMBER.fullmatch(text) is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of days")
    return float(text)
