"""Mean word vectors, against the means by hand."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.embeddings.word_vectors import word_vectors

LINES = ["red 1 0 0", "Disc 0 2 0", "disc 0 1 0", "new york 5 5 5", "ice-cream 0 0 3", "red 9 9 9"]
TEXTS = ["Red disc!", "a Disc, a disc: red", "ice-cream", "nothing known", "", "red red disc"]
CAPTIONS = pa.chunked_array([TEXTS[:3], [*TEXTS[3:], None]])


def save(folder: Path, lines: list[str], header: str = "") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "words.vec").write_text("".join(f"{line}\n" for line in ([header] if header else []) + lines))
    return folder


@pytest.mark.parametrize("header", ["", "6 3"])
def test_text_vectors_are_means_of_known_word_vectors(tmp_path: Path, header: str) -> None:
    encoder = word_vectors(save(tmp_path / "v", LINES, header), CAPTIONS)
    found = encoder(TEXTS, 2)
    expected = [[1 / 2, 1 / 2, 0], [1 / 3, 1, 0], [0, 0, 3], [0, 0, 0], [0, 0, 0], [2 / 3, 1 / 3, 0]]
    np.testing.assert_allclose(found, np.array(expected, np.float32), rtol=1e-7)
    assert encoder.counts(CAPTIONS) == {"words": 13, "unknown_words": 4}  # a, a, nothing, known
    assert encoder.rows.keys() == {"red", "Disc", "disc", "ice-cream"}  # of the captions alone
    assert encoder.truncated(TEXTS).tolist() == [False] * 6 and encoder.max_tokens is None
    assert word_vectors(tmp_path / "v" / "words.vec", CAPTIONS)(TEXTS, 9).tobytes() == found.tobytes()
    blank_at_the_end = save(tmp_path / "w", [*LINES, ""], header)
    assert word_vectors(blank_at_the_end, CAPTIONS)(TEXTS, 9).tobytes() == found.tobytes()


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["red 1 0 0", "disc 0 1"], r"unreadable word vectors in .*words\.vec, line 2: 2 numbers instead of 3"),
        (["red 1 0 0", "disc 0 x 1"], r"unreadable word vectors in .*words\.vec, line 2: 0 x 1"),
        (["red 1 0 nan"], r"unreadable word vectors in .*words\.vec, line 1: 1 0 nan"),
        (["4 3", *LINES[:3]], r"truncated word vectors in .*words\.vec: 3 of 4 words; fetch"),
        (["9" * 5000 + " 3", "red 1 0 0"], r"no known word in .*words\.vec: none of the 6 words of the captions"),
        (["blue 1 0 0"], r"no known word in .*words\.vec: none of the 6 words of the captions"),
    ],
)
def test_bad_files_are_named(tmp_path: Path, lines: list[str], message: str) -> None:
    with pytest.raises(PipelineError, match=message):
        word_vectors(save(tmp_path / "v", lines), pa.chunked_array([["red disc", "Red", "nothing known at"]]))


def test_a_folder_must_hold_a_single_file_of_word_vectors(tmp_path: Path) -> None:
    save(tmp_path / "v", LINES)
    (tmp_path / "v" / "other.vec").write_text("red 1\n")
    with pytest.raises(PipelineError, match=r"not one file of word vectors in .*: 2 files"):
        word_vectors(tmp_path / "v", CAPTIONS)
