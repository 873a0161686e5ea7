"""The stage ``pair_table``."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.helpers import run
from tests.stages.vectors import embedded
from workflow_scripts.stages import pair_table

VECTORS = np.array([[1, 0], [0.8, 0.6], [0.6, 0.8], [0, 0], [1, 0], [-1, 0]])


def test_pairs_and_reasons(results: Path) -> None:
    path = embedded(results, VECTORS)
    made = run(pair_table.STAGE, results, "pair_table/p", {"k": 1, "min_cosine": 0.5}, {"vectors": path})
    pairs = pq.read_table(made.path(".parquet")).to_pylist()
    # k1 is as near to k0 and k4 (0.8) but nearer to k2 (0.96).
    assert [(p["source"], p["target"]) for p in pairs] == [("k0", "k4"), ("k1", "k2"), ("k2", "k1"), ("k4", "k0")]
    assert made.rows == {"in": 6, "out": 4, "dropped": {"empty_caption": 1, "outside_thresholds": 1}}
    counts = json.loads(made.path(".json").read_bytes())
    assert counts["without_pair"]["empty_caption"] == 1


def test_scope_and_threads(results: Path) -> None:
    path = embedded(results, np.random.default_rng(0).normal(size=(40, 8)))
    hashes = set()
    for workers in ("1", "3"):
        name, settings, options = f"pair_table/w{workers}", {"k": 2, "scope": "subreddit"}, ["--workers", workers]
        made = run(pair_table.STAGE, results, name, settings, {"vectors": path}, {"pairs": workers}, options=options)
        hashes.add(made.path(".parquet").read_bytes())
        pairs = pq.read_table(made.path(".parquet")).to_pylist()
        assert all(int(p["source"][1:]) % 2 == int(p["target"][1:]) % 2 for p in pairs)
        assert len(pairs) == 80
    assert len(hashes) == 1


def test_thresholds_the_wrong_way_round(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        settings = {"min_cosine": 0.9, "max_cosine": 0.1}
        run(pair_table.STAGE, results, "pair_table/p", settings, {"vectors": embedded(results, VECTORS)})
    assert "min_cosine 0.9 is above max_cosine 0.1" in capsys.readouterr().err.splitlines()[-1]
