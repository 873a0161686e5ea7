"""Captions in JSON, in the forms that captioning tools write. The file is streamed."""

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import ijson

from workflow_scripts.core.files.json_stream import PIECE, BoundedStream

KEYS = ("key", "image_id")  # the second is COCO's; a row that has both is named by the first
CAPTION = "caption"
MOST = 10_000  # captions of a row
WHITE = b"\xef\xbb\xbf \t\r\n"
_NAMES = {"start_map": "an object", "start_array": "a list", "boolean": "true or false", "null": "null"}
Events = Iterator[tuple[str, Any]]
Row = tuple[str | None, list[str | None]]
"""Key and captions, of which some may be missing."""


def json_rows(path: Path) -> Iterator[Row]:
    """Key and captions of each row of a JSON file, in order.

    A row is an object with ``key`` (or ``image_id``; text or a whole number) and ``caption``, which is a text, a list
    of texts, or null; other fields are skipped. The file holds a list of rows, one row per line (JSON lines), an object
    whose list ``annotations`` holds the rows (COCO), or an object whose fields are keys and whose values are captions.

    Raises:
        ValueError: it is not JSON, nested too deeply, or has another structure; the message names the row.
    """
    number = 0
    try:
        with open(path, "rb") as stream:
            lines = _is_row(stream.readline(PIECE))
        with open(path, "rb") as stream:
            coco = not lines and _is_coco(stream)
        with open(path, "rb") as stream:
            for row in _rows(_events(stream, lines), lines, coco):
                number += 1
                yield row
    except (ijson.JSONError, ValueError, OverflowError) as error:
        raise ValueError(f"row {number + 1}: {str(error).splitlines()[0]}") from None


def _events(stream: IO[bytes], lines: bool) -> Events:
    found: Events = ijson.basic_parse(BoundedStream(stream), use_float=True, buf_size=PIECE, multiple_values=lines)
    return found


def _is_row(line: bytes) -> bool:
    """Whether a line is a row by itself."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and CAPTION in value and not value.keys().isdisjoint(KEYS)


def _is_coco(stream: IO[bytes]) -> bool:
    """Whether a file is an object whose list ``annotations`` begins with an object."""
    if stream.read(64).lstrip(WHITE).startswith(b"["):
        return False
    stream.seek(0)
    parsed = ijson.parse(_events(stream, False))
    with suppress(ijson.JSONError, ValueError, OverflowError):  # reported when the rows are read
        return any(event == "start_map" for prefix, event, _ in parsed if prefix == "annotations.item")
    return False


def _rows(events: Events, lines: bool, coco: bool) -> Iterator[Row]:
    if lines:
        for event, _ in events:
            yield _row(event, events)
        return
    event, _ = next(events)
    if event == "start_array":
        yield from _members(events)
    for event, name in events:  # after a list, only to see that nothing follows it
        if event == "map_key":
            event, value = next(events)
            if not coco:
                yield name, _captions(event, value, events)
            elif (name, event) == ("annotations", "start_array"):
                yield from _members(events)
            else:
                _skip(event, events)


def _members(events: Events) -> Iterator[Row]:
    """The rows of a list, after its start."""
    for event, _ in events:
        if event == "end_array":
            return
        yield _row(event, events)


def _row(event: str, events: Events) -> Row:
    """The row whose first event is given."""
    if event != "start_map":
        raise ValueError(f"{_said(event)} in place of an object")
    key: str | None = None
    captions: list[str | None] = [None]
    for event, name in events:
        if event == "end_map":
            break
        event, value = next(events)
        if name in KEYS:
            given = _key(event, value)
            key = given if name == KEYS[0] or key is None else key
        elif name == CAPTION:
            captions = _captions(event, value, events)
        else:
            _skip(event, events)
    return key, captions


def _key(event: str, value: Any) -> str | None:
    if event == "null" or (isinstance(value, int | str) and event != "boolean"):
        return None if value is None else str(value)
    raise ValueError(f"{_said(event)} as key; it must be text or a whole number")


def _captions(event: str, value: Any, events: Events) -> list[str | None]:
    """The captions of a value whose first event is given."""
    if event in ("string", "null"):
        return [value]
    if event != "start_array":
        raise ValueError(f"{_said(event)} as caption; it must be text, a list of texts or null")
    found: list[str | None] = []
    for event, one in events:
        if event == "end_array":
            break
        if event not in ("string", "null") or len(found) == MOST:
            what = f"more than {MOST} captions" if len(found) == MOST else f"{_said(event)} in a list of captions"
            raise ValueError(f"{what}; it must hold texts")
        found.append(one)
    return found or [None]


def _skip(event: str, events: Events) -> None:
    """Pass over a value whose first event is given."""
    depth = _step(event)
    while depth:
        depth += _step(next(events)[0])


def _step(event: str) -> int:
    return (event in ("start_map", "start_array")) - (event in ("end_map", "end_array"))


def _said(event: str) -> str:
    return _NAMES.get(event, f"a {event}")
