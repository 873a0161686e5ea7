"""Captions as rows of tokens in one file."""

from pathlib import Path

import numpy as np
import pytest

from workflow_scripts.pretraining.data.token_rows import TokenRows, TokenSizes, write_rows

BATCHES = [["a bc", None, "  \n"], [], ["defg", "", "h" * 9]]


def encode(captions: list[str]) -> tuple[list[list[int]], int]:
    """A token per character, at most five; 1 before and 2 after."""
    return [[1, *map(ord, text[:5]), 2] for text in captions], sum(len(text) > 5 for text in captions)


@pytest.mark.parametrize(("vocabulary", "kind"), [(2**16, np.uint16), (2**16 + 1, np.int32)])
def test_ids_of_all_captions_come_back(tmp_path: Path, vocabulary: int, kind: type) -> None:
    path = tmp_path / "ids.npy"
    lengths, cut = write_rows(iter(BATCHES), encode, vocabulary, path)
    assert lengths.tolist() == [6, 0, 0, 6, 0, 7]
    assert cut == 1
    ids = np.load(path, allow_pickle=False)
    assert (ids.dtype, ids.shape) == (kind, (19,))
    starts = np.cumsum(lengths) - lengths
    rows = TokenRows(path, TokenSizes(vocabulary, 2, 9, 7), starts, lengths).of(np.array([0, 3, 5]))
    assert rows[np.array([1, 0])].tolist() == [[1, *map(ord, "defg"), 2], [1, *map(ord, "a bc"), 2]]
    assert rows[np.array([2, 0])].tolist() == [[1, *[104] * 5, 2], [1, *map(ord, "a bc"), 2, 9]]


def test_no_captions_are_an_empty_file(tmp_path: Path) -> None:
    lengths, cut = write_rows(iter([]), encode, 300, tmp_path / "ids.npy")
    assert (len(lengths), cut) == (0, 0)
    assert np.load(tmp_path / "ids.npy").shape == (0,)
