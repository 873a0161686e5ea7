"""The outcome of one URL: a line of a segment."""

import hashlib
import json
import re
from dataclasses import dataclass, field, replace
from typing import Any

from workflow_scripts.acquisition.states import IMPORTED, RETRYABLE, State

FINAL_CODES = frozenset({404, 410, 451})  # status codes for images that were removed permanently

_HEAD = b'{"url":"'
_string = json.JSONDecoder().raw_decode
_SHA256 = re.compile(r"[0-9a-f]{64}")
_FORMAT = re.compile(r"[a-z]{0,8}")
_LARGEST, _LATEST = 1 << 60, 1e11  # bytes; seconds since 1970
_ENDS = frozenset({*State, IMPORTED})  # states of an attempt
# Fields of an attempt, and the largest value of each count: those of the table of attempts.
_COUNTS = {"attempt": 2**31 - 1, "round": 2**15 - 1, "read": _LARGEST}
_ATTEMPT = frozenset({*_COUNTS, "started", "seconds", "state", "http_status"})


@dataclass(frozen=True)
class Record:
    """The outcome of one URL.

    Attributes:
        attempts: the requests of this round, each with ``attempt``, ``started``, ``seconds``, ``state``...
        round: number of the round in which it was requested.
        finished: seconds since 1970.
        preparation: name of the preparation; empty for bytes as received, or if there are none.
        policy: name of the settings that caused the failure, for states that depend on settings.
        offset, size, sha256: position, length and hash of the bytes in the segment; 0, 0 and empty without bytes.
        width, height, format: properties of prepared bytes.
    """

    url: str
    state: State
    http_status: int | None
    attempts: list[dict[str, Any]] = field(default_factory=list)
    round: int = 1
    finished: float = 0.0
    preparation: str = ""
    policy: str = ""
    offset: int = 0
    size: int = 0
    sha256: str = ""
    width: int = 0
    height: int = 0
    format: str = ""

    @property
    def may_pass(self) -> bool:
        """Whether another round may succeed: after an outage, or a refusal that may be temporary (403, 429...)."""
        refused = self.state is State.HTTP_4XX and self.http_status not in FINAL_CODES
        return not self.size and (self.state in RETRYABLE or refused)

    def at(self, offset: int, data: bytes, digest: str | None = None) -> "Record":
        """A copy with ``data`` at ``offset``; ``digest`` is its :func:`sha256`, if known."""
        return replace(self, offset=offset, size=len(data), sha256=sha256(data) if digest is None else digest)


def sha256(data: bytes) -> str:
    """The hash in hex; empty for no bytes, as stored for a row without an image."""
    return hashlib.sha256(data).hexdigest() if data else ""


def to_line(record: Record) -> bytes:
    """A line of JSON, with the line break."""
    return json.dumps(vars(record), separators=(",", ":")).encode() + b"\n"


def url_of(line: bytes) -> str | None:
    """The URL of a line of :func:`to_line`, even if its end is missing; None if it has none."""
    if not line.startswith(_HEAD):
        return None
    try:
        return str(_string(line.decode(), len(_HEAD) - 1)[0])
    except (ValueError, RecursionError):
        return None


def from_line(line: bytes) -> Record | None:
    """The record of a line, or None if the line is incomplete or holds what no download writes."""
    if not line.endswith(b"\n"):
        return None
    try:
        record = Record(**json.loads(line))
        record = replace(record, state=State(record.state))
        return record if _is_sound(record) and all(map(_is_attempt, record.attempts)) else None
    except (ValueError, TypeError, RecursionError):
        return None


def _is_sound(record: Record) -> bool:
    """Whether the fields have types and values that a download writes; TypeError for some that have not."""
    return (
        all(isinstance(text, str) for text in (record.url, record.preparation, record.policy))
        and isinstance(record.attempts, list)
        and _is_status(record.http_status)
        and _is_count(record.round, _COUNTS["round"])
        and _is_time(record.finished)
        and all(_is_count(one, _LARGEST) for one in (record.offset, record.size))
        and all(_is_count(one, 2**31 - 1) for one in (record.width, record.height))
        and _FORMAT.fullmatch(record.format) is not None
        and bool(record.size) == (record.state is State.OK)
        and (_SHA256.fullmatch(record.sha256) is not None if record.size else record.sha256 == "")
    )


def _is_attempt(one: object) -> bool:
    return (
        isinstance(one, dict)
        and {"state", "read"} <= one.keys() <= _ATTEMPT
        and one["state"] in _ENDS
        and _is_status(one.get("http_status"))
        and all(_is_count(one.get(name, 0), most) for name, most in _COUNTS.items())
        and all(_is_time(one.get(name, 0)) for name in ("started", "seconds"))
    )


def _is_status(value: object) -> bool:
    return value is None or _is_count(value, 2**15 - 1)


def _is_count(value: object, most: int) -> bool:
    return type(value) is int and 0 <= value <= most


def _is_time(value: object) -> bool:
    return type(value) in (int, float) and 0 <= value < _LATEST  # type: ignore[operator]
