"""The outcome of one URL: a line of a segment."""

import hashlib
import json
from dataclasses import dataclass, field, replace
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from workflow_scripts.acquisition.states import IMPORTED, RETRYABLE, State

FINAL_CODES = frozenset({404, 410, 451})  # status codes for images that were removed permanently
_HEAD = b'{"url":"'
_STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
_string = json.JSONDecoder().raw_decode

# The largest values are those of the columns of the tables.
Size = Annotated[int, Field(ge=0, le=1 << 60)]
Count = Annotated[int, Field(ge=0, lt=2**31)]
Short = Annotated[int, Field(ge=0, lt=2**15)]
Seconds = Annotated[float, Field(ge=0, lt=1e11)]


class Attempt(BaseModel):
    """A request, as lines hold it."""

    model_config = _STRICT

    attempt: Count = 0
    round: Short = 0
    started: Seconds = 0.0
    seconds: Seconds = 0.0
    state: Annotated[str, Field(pattern=f"^({'|'.join([*State, IMPORTED])})$")]
    http_status: Short | None = None
    read: Size


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

    __pydantic_config__ = _STRICT

    url: str
    state: State
    http_status: Short | None
    attempts: list[dict[str, Any]] = field(default_factory=list)
    round: Short = 1
    finished: Seconds = 0.0
    preparation: str = ""
    policy: str = ""
    offset: Size = 0
    size: Size = 0
    sha256: Annotated[str, Field(pattern="^([0-9a-f]{64})?$")] = ""
    width: Count = 0
    height: Count = 0
    format: Annotated[str, Field(pattern="^[a-z]{0,8}$")] = ""

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
        record = _RECORD.validate_json(line)
        _ATTEMPTS.validate_python(record.attempts)
    except ValidationError:
        return None
    return record if bool(record.size) == (record.state is State.OK) == bool(record.sha256) else None


_RECORD, _ATTEMPTS = TypeAdapter(Record), TypeAdapter(list[Attempt])
