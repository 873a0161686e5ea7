"""What a download has finished so far, on disk, so that nothing finished is ever asked for again.

Two append-only files: ``bytes.bin`` with the stored images one after the other, and ``urls.jsonl`` with a line per
finished url that says where its bytes lie. Bytes are written before their line. A process killed anywhere leaves at
most bytes without a line or half a line; both are cut off when the journal is opened again, and so are lines whose
bytes do not have the recorded hash.
"""

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from workflow_scripts.acquisition.states import RETRYABLE, State
from workflow_scripts.core.errors import PipelineError


@dataclass(frozen=True)
class Record:
    """The end of one url. What follows ``attempts`` is about the stored bytes."""

    url: str
    state: State
    http_status: int | None
    attempts: list[dict[str, Any]]
    offset: int = 0
    size: int = 0
    sha256: str = ""
    width: int = 0
    height: int = 0
    format: str = ""


class Journal:
    """Finished urls of one shard in ``folder``; only one process at a time may hold it open.

    Attributes:
        done: record by url.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.done: dict[str, Record] = {}
        self._earlier: dict[str, list[dict[str, Any]]] = {}
        self._bytes = _open(folder / "bytes.bin")
        self._lines = _open(folder / "urls.jsonl")
        self._end = self._recover()

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *_: object) -> None:
        self._bytes.close()
        self._lines.close()

    def _recover(self) -> int:
        """Read the whole lines, cut off what a kill left half done, and give where the next bytes go."""
        whole = end = 0
        for line in self._lines:
            record = self._checked(line)
            if record is None:
                break
            self.done[record.url] = record
            whole += len(line)
            end = max(end, record.offset + record.size)
        self._lines.truncate(whole)
        self._bytes.truncate(end)
        self._lines.seek(whole)
        self._bytes.seek(end)
        return end

    def _checked(self, line: bytes) -> Record | None:
        """The record of a line, or None when the line or its bytes are not whole."""
        if not line.endswith(b"\n"):
            return None
        try:
            record = Record(**json.loads(line))
            record = Record(**{**asdict(record), "state": State(record.state)})
        except (ValueError, TypeError):
            return None
        data = os.pread(self._bytes.fileno(), record.size, record.offset)
        return record if _sha256(data) == record.sha256 else None

    def add(self, record: Record, data: bytes = b"") -> None:
        """Finish a url with the bytes stored of it; the record's ``offset``, ``size`` and ``sha256`` are set here.

        Raises:
            PipelineError: the disk does not take it; what was finished before stays.
        """
        tried = [*self._earlier.pop(record.url, []), *record.attempts]
        whole = Record(
            **{**asdict(record), "attempts": tried, "offset": self._end, "size": len(data), "sha256": _sha256(data)}
        )
        try:
            _append(self._bytes, data)
            _append(self._lines, json.dumps(asdict(whole), separators=(",", ":")).encode() + b"\n")
        except OSError as error:
            advice = "make room and run again; finished urls are kept"
            raise PipelineError("cannot write", self._folder, error.strerror or error, advice) from None
        self._end += len(data)
        self.done[whole.url] = whole

    def forget_failures(self) -> None:
        """Let urls that failed in a way that may pass (an outage) be asked for again; a later line replaces theirs."""
        for url, record in list(self.done.items()):
            if record.state in RETRYABLE:
                self._earlier[url] = self.done.pop(url).attempts

    def data(self, record: Record) -> bytes:
        """The stored bytes of a finished url.

        Raises:
            PipelineError: they changed on disk since they were written.
        """
        data = os.pread(self._bytes.fileno(), record.size, record.offset)
        if _sha256(data) != record.sha256:
            where = self._folder / "bytes.bin"
            raise PipelineError("changed bytes", where, record.url, "run again; the url is then fetched anew")
        return data


def _sha256(data: bytes) -> str:
    """In hex; empty for no bytes, which is how a row without an image is stored."""
    return hashlib.sha256(data).hexdigest() if data else ""


def _open(path: Path) -> BinaryIO:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    return os.fdopen(descriptor, "r+b")


def _append(stream: BinaryIO, data: bytes) -> None:
    stream.write(data)
    stream.flush()
