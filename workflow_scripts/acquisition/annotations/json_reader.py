"""The rows of one RedCaps annotation file, read in pieces: its text is never in memory as a whole."""

import codecs
import json
import re
from collections.abc import Iterator
from typing import IO, Any

PIECE = 1 << 20  # bytes
LARGEST_ROW = 1 << 20  # characters of one value that is kept; rows of RedCaps have about 500
_OUTSIDE = re.compile(r"[^\"\[\]{}]*+")
_QUOTED = re.compile(r"(?:[^\"\\]++|\\.)*+", re.DOTALL)
_SPACE = re.compile(r"[ \t\n\r]*")
_FOLLOW = frozenset(" \t\n\r,:]}")
_decode = json.JSONDecoder().raw_decode


class Oversized:
    """Placeholder for a value of more than :data:`LARGEST_ROW` characters, which was skipped and not kept."""


class NoListError(ValueError):
    """The file is JSON, but has no list ``annotations`` at the top level."""


def rows_of(stream: IO[bytes]) -> Iterator[tuple[Any, int]]:
    """Yield the members of the list ``annotations`` of a JSON object, each with its number of characters.

    A member that is too long is replaced by :class:`Oversized`.

    Raises:
        NoListError: JSON with another structure.
        ValueError: not JSON; also UnicodeDecodeError.
        RecursionError: nested too deeply.
    """
    text = _Text(stream)
    if text.peek() != "{":
        raise NoListError(f"a JSON {type(text.value()).__name__}")
    found = False
    for name in text.fields():
        if name == "annotations":
            if found or text.peek() != "[":
                raise NoListError("two lists" if found else f"a JSON {type(text.value()).__name__} as annotations")
            found = True
            yield from text.members()
        else:
            text.value()
    text.end()
    if not found:
        raise NoListError("a JSON dict without the key annotations")


class _Text:
    """A position in JSON text, with the text after it that was read so far."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self._decoder = stream, codecs.getincrementaldecoder("utf-8-sig")()
        self._text, self._at, self._whole = "", 0, False
        self.length = 0  # characters of the latest value

    def _more(self) -> None:
        """Read more: twice as much as is buffered, so that a long value takes linear time."""
        piece = self._stream.read(max(PIECE, len(self._text) - self._at))
        self._whole = not piece
        self._text = self._text[self._at :] + self._decoder.decode(piece, final=self._whole)
        self._at = 0

    def peek(self) -> str:
        """The next character that is not white space; empty at the end."""
        while True:
            match = _SPACE.match(self._text, self._at)
            assert match is not None
            self._at = match.end()
            if self._at < len(self._text) or self._whole:
                return self._text[self._at : self._at + 1]
            self._more()

    def take(self, wanted: str) -> str:
        """Consume the next character, which must be one of ``wanted``."""
        found = self.peek()
        if not found or found not in wanted:
            raise ValueError(f"expected one of {wanted}, found {found or 'the end'}")
        self._at += 1
        return found

    def value(self) -> Any:
        """The next value; :class:`Oversized` if it is too long to keep in memory."""
        self.peek()
        while True:
            try:
                value, end = _decode(self._text, self._at)
            except (json.JSONDecodeError, StopIteration) as error:
                if self._whole:
                    raise
                if len(self._text) - self._at > LARGEST_ROW:
                    self._skip(error)
                    return Oversized()
            else:
                # A number may continue in the next piece: 1 could be 1.5 or 1e5.
                if self._text[end : end + 1] in _FOLLOW or self._whole:
                    self.length, self._at = end - self._at, end
                    return value if self.length <= LARGEST_ROW else Oversized()
            self._more()

    def _skip(self, error: Exception) -> None:
        """Skip a string, list or object without keeping it; raises ``error`` if it is not too long."""
        if self._text[self._at] not in '"[{':
            raise error
        self.length = depth = 0
        quoted = False
        while True:
            found = (_QUOTED if quoted else _OUTSIDE).match(self._text, self._at)
            assert found is not None
            self.length += found.end() - self._at
            self._at = found.end()
            sign = self._text[self._at : self._at + 1]
            if sign in ("", "\\"):  # the text ends here, or within an escape
                if self._whole:
                    raise ValueError("the file ends within a value")
                self._more()
                continue
            self.length, self._at = self.length + 1, self._at + 1
            quoted ^= sign == '"'
            depth += (sign in "[{") - (sign in "]}")
            if depth == 0 and not quoted:
                break
        if self.length <= LARGEST_ROW:
            raise error

    def fields(self) -> Iterator[str]:
        """Keys of the next object; the caller must consume each value."""
        self.take("{")
        if self.peek() == "}":
            self.take("}")
            return
        while True:
            if self.peek() != '"':
                raise ValueError(f"expected a key, found {self.peek() or 'the end'}")
            name = self.value()
            self.take(":")
            yield name
            if self.take(",}") == "}":
                return

    def members(self) -> Iterator[tuple[Any, int]]:
        """Members of the next list, each with its number of characters."""
        self.take("[")
        if self.peek() == "]":
            self.take("]")
            return
        while True:
            value = self.value()
            yield value, self.length
            if self.take(",]") == "]":
                return

    def end(self) -> None:
        """Check that only white space follows."""
        if self.peek():
            raise ValueError(f"{self.peek()} after the end of the object")
