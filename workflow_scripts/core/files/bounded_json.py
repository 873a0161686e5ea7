"""JSON of manifests, run records, notes and small data files, read with limits on size and depth.

A FIFO or device never blocks the reader, and no large file is read into memory. Values that are returned can be
printed,
hashed and written again: valid Unicode, finite numbers, unique keys.
"""

import json
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any

LARGEST = 32 << 20  # bytes; the record of a report on 20,000 artifacts has 3 MB
DEEPEST = 32  # levels; records have 8
KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFBLK: "a device",
    stat.S_IFCHR: "a device",
    stat.S_IFLNK: "a symbolic link",
}


class Unfit(ValueError):
    """The file holds no JSON that the workflow could have written; ``str()`` says why."""


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file.

    Raises:
        Unfit: the file has no valid one, is not a regular file, or is larger than any that the workflow writes.
        OSError: it can't be read.
    """
    return parse_object(read_bytes(path))


def read_object_or_none(path: Path) -> dict[str, Any] | None:
    """The JSON object in a file; None when the file is missing, unreadable or has no valid one."""
    with suppress(OSError, Unfit):
        return read_object(path)
    return None


def read_value(path: Path, largest: int = LARGEST) -> Any:
    """The JSON value in a file of at most ``largest`` bytes. Raises as :func:`read_object`."""
    return _parsed(read_bytes(path, largest))


def read_bytes(path: Path, largest: int = LARGEST) -> bytes:
    """The bytes of a small regular file; never blocks on a FIFO, socket or device. Raises as read_object."""
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        raise Unfit(f"it is {kind_of(mode)}")
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as stream:
        size = os.fstat(stream.fileno()).st_size
        if size > largest:
            raise Unfit(f"it has {size} bytes; at most {largest} are allowed")
        return stream.read(size)


def kind_of(mode: int) -> str:
    """The kind of a file that is not a regular one, by its mode."""
    return KINDS.get(stat.S_IFMT(mode), "no file")


def parse_object(data: bytes) -> dict[str, Any]:
    """The JSON object encoded in ``data``. Raises Unfit."""
    content = _parsed(data)
    if not isinstance(content, dict):
        raise Unfit("not a JSON object")
    return content


def _parsed(data: bytes) -> Any:
    try:
        content = json.loads(data.decode(), object_pairs_hook=_each_once, parse_constant=_no_number)
    except RecursionError:
        raise Unfit("not JSON (nested too deeply)") from None
    except Unfit:
        raise
    except ValueError as error:
        raise Unfit(f"not JSON ({error})") from None
    _check_values(content)
    return content


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise Unfit(f"it has a repeated key ({next(name for name in names if names.count(name) > 1)[:40]!r})")
    return found


def _no_number(text: str) -> None:
    raise Unfit(f"not JSON ({text})")


def _check_values(content: Any) -> None:
    """Refuse what no record contains and what would fail later: deep nesting, infinite numbers, lone surrogates."""
    level = [content]
    for _ in range(DEEPEST + 1):
        below = [value for value in level if isinstance(value, dict | list)]
        if not below:
            break
        level = [inner for value in below for inner in (value.values() if isinstance(value, dict) else value)]
    else:
        raise Unfit(f"nested more than {DEEPEST} levels deep")
    try:
        json.dumps(content, ensure_ascii=False, allow_nan=False).encode()
    except ValueError:
        raise Unfit("it contains text that is not Unicode, or a number that is not finite") from None
