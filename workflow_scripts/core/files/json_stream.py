"""Large JSON files from strangers, for a parser that reads them piece by piece (ijson)."""

import codecs
from typing import IO

import numpy as np

PIECE = 1 << 20  # bytes that are parsed at a time
DEEPEST = 100  # levels of nesting; the parser keeps the whole path to each
_QUOTE = ord('"')
_OTHERS = bytes(set(range(256)) - set(b'"[]{}'))
_STEPS = np.zeros(256, np.int8)
_STEPS[list(b"[{")], _STEPS[list(b"]}")] = 1, -1


class BoundedStream:
    """A stream that refuses what needs quadratic time or memory.

    The parser restarts on each piece of a huge string, keeps the path of each level of nesting, and builds whole rows.
    A byte order mark is skipped.

    Args:
        stream: at its start.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        if stream.read(len(codecs.BOM_UTF8)) != codecs.BOM_UTF8:
            stream.seek(0)
        self._depth, self._quoted, self._rest = 0, 0, b""  # after the latest piece; rest: the start of an escape
        self._around = 0  # levels around a row, which is a member of a list or of a list in an object; 0: not known yet

    def read(self, size: int) -> bytes:
        """The next ``size`` bytes. Raises ValueError if a whole piece lies within a row, or nesting is too deep."""
        piece = self._stream.read(size)
        if len(piece) == PIECE and b'"' not in piece.replace(b'\\"', b""):
            raise ValueError(f"more than {PIECE} bytes without a quotation mark")
        self._check_depth(piece)
        return piece

    def _check_depth(self, piece: bytes) -> None:
        text = (self._rest + piece).replace(b"\\\\", b"").replace(b'\\"', b"")
        self._rest = b"\\" if text.endswith(b"\\") else b""
        signs = np.frombuffer(text.translate(None, _OTHERS).replace(b'""', b""), np.uint8)
        quoted = (self._quoted + np.cumsum(signs == _QUOTE)) % 2
        if not self._around and (start := text.lstrip()):
            self._around = 1 if start.startswith(b"[") else 2
        depths = self._depth + np.cumsum(np.where(quoted, 0, _STEPS[signs]))
        if depths.max(initial=0) > DEEPEST:
            raise ValueError(f"nested more than {DEEPEST} levels deep")
        if len(piece) == PIECE and depths.min(initial=self._depth) > self._around:
            raise ValueError(f"a row of more than {PIECE} bytes")
        if len(signs):
            self._quoted, self._depth = int(quoted[-1]), int(depths[-1])
