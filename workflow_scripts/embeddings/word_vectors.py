"""Mean word vectors of captions, from a text file as fastText and word2vec write it."""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow as pa

from workflow_scripts.core.errors import PipelineError, one_line

WORD = re.compile(r"\w+(?:['’-]\w+)*")
MOST = 1 << 20  # bytes of a line
DIGITS = 19  # more than the numbers of a header have
ADVICE = "give a file, or a folder with one file, of lines with a word and its numbers, such as fastText's .vec"


class WordVectors:
    """The mean of the vectors of a text's words; a word counts as often as it occurs, an unknown one not at all.

    A word is a run of letters, digits and underscores, with ' and - inside. It is looked up as it is written, then in
    lower case.

    Attributes:
        rows: word -> row of ``matrix``.
        matrix: (w, d) float32.
        max_tokens: None, since texts are read to their end.
    """

    max_tokens = None

    def __init__(self, rows: dict[str, int], matrix: np.ndarray) -> None:
        self.rows, self.matrix = rows, matrix

    def __call__(self, texts: Sequence[str], batch: int) -> np.ndarray:
        """n texts -> (n, d) float32; zero for a text without a known word. The batch size changes nothing."""
        found = np.zeros((len(texts), self.matrix.shape[1]), np.float32)
        for i, text in enumerate(texts):
            rows = [row for row in map(self._row, WORD.findall(text)) if row is not None]
            if rows:
                found[i] = self.matrix[rows].mean(axis=0, dtype=np.float64)
        return found

    def _row(self, word: str) -> int | None:
        found = self.rows.get(word)
        return self.rows.get(word.lower()) if found is None else found

    def truncated(self, texts: Sequence[str]) -> np.ndarray:
        """(n,) bool: no text is cut."""
        return np.zeros(len(texts), bool)

    def counts(self, captions: pa.ChunkedArray) -> dict[str, int]:
        """Numbers of words of the captions, and of those without a vector."""
        words = unknown = 0
        for text in _texts(captions):
            found = WORD.findall(text)
            words += len(found)
            unknown += sum(self._row(word) is None for word in found)
        return {"words": words, "unknown_words": unknown}


def word_vectors(path: Path, captions: pa.ChunkedArray) -> WordVectors:
    """The vectors of the captions' words; those of other words are read past.

    Raises:
        PipelineError: there is no such file, or not only one; a line of it has another number of numbers than the
            first; it ends before its header says; or it has none of the captions' words.
    """
    file = _file(path)
    words = {word for text in _texts(captions) for word in WORD.findall(text)}
    wanted = words | {word.lower() for word in words}
    rows: dict[str, int] = {}
    vectors: list[np.ndarray] = []
    for word, vector in _lines(file, wanted):
        if word not in rows:
            rows[word] = len(vectors)
            vectors.append(vector)
    if not vectors:
        raise PipelineError("no known word", file, f"none of the {len(words):,} words of the captions", ADVICE)
    return WordVectors(rows, np.stack(vectors))


def _texts(captions: pa.ChunkedArray) -> Iterator[str]:
    for batch in pa.table({"caption": captions}).to_batches(max_chunksize=65_536):
        yield from (text for text in batch["caption"].to_pylist() if text)


def _file(path: Path) -> Path:
    if path.is_file():
        return path
    files = sorted(one for one in path.iterdir() if one.is_file() and not one.name.startswith("."))
    if len(files) != 1:
        raise PipelineError("not one file of word vectors", path, f"{len(files)} files", ADVICE)
    return files[0]


def _lines(file: Path, wanted: Iterable[str]) -> Iterator[tuple[str, np.ndarray]]:
    """The wanted words of a file and their (d,) float32 vectors, line by line."""
    width, encoded = None, {word.encode(): word for word in wanted}
    number = words = stated = 0
    with file.open("rb") as stream:
        while line := stream.readline(MOST):
            number += 1
            parts = line.rstrip(b"\r\n ").split(b" ")
            if parts == [b""]:  # a blank line, as some files have at their end
                continue
            if number == 1 and len(parts) == 2 and all(part.isdigit() and len(part) < DIGITS for part in parts):
                stated, width = map(int, parts)  # the header: numbers of words and of dimensions
                continue
            words += 1
            width = width or len(parts) - 1
            if width < 1 or len(parts) <= width:
                raise _unreadable(file, number, f"{len(parts) - 1} numbers instead of {width}")
            word = encoded.get(b" ".join(parts[:-width]))  # some words have spaces inside
            if word is not None:
                yield word, _vector(file, number, parts[-width:])
    if words < stated:
        raise PipelineError("truncated word vectors", file, f"{words:,} of {stated:,} words", "fetch the file again")


def _vector(file: Path, number: int, parts: list[bytes]) -> np.ndarray:
    with suppress(ValueError):
        vector = np.array([float(part) for part in parts], np.float32)
        if np.isfinite(vector).all():
            return vector
    raise _unreadable(file, number, one_line(b" ".join(parts).decode(errors="replace"))[:60])


def _unreadable(file: Path, number: int, value: str) -> PipelineError:
    return PipelineError("unreadable word vectors", f"{file}, line {number}", value, ADVICE)
