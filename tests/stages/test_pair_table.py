"""The stage ``pair_table``."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from tests.file_bytes import parquet
from tests.helpers import Fails, make_artifact, run
from tests.stages.vectors import embedded
from workflow_scripts.evaluation.leakage.fingerprints import fingerprints_table, print_of, stacked
from workflow_scripts.pairs import neighbours
from workflow_scripts.pairs.kinds import nearest
from workflow_scripts.stages import pair_table

VECTORS = np.array([[1, 0], [0.8, 0.6], [0.6, 0.8], [0, 0], [1, 0], [-1, 0]])


def truth(results: Path, concepts: list[str]) -> Path:
    table = pa.table({"image_id": [f"k{i}" for i in range(len(concepts))], "concept": concepts})
    return make_artifact(results, "demo_world", "world", {".truth.parquet": parquet(table)})


def test_pairs_and_reasons_for_no_pair_by_hand(results: Path) -> None:
    path = embedded(results, VECTORS)
    made = run(pair_table.STAGE, results, "pair_table/p", {"k": 1, "min_cosine": 0.5}, {"vectors": path, "truth": []})
    pairs = pq.read_table(made.path(".parquet")).to_pylist()
    # k1 is as near to k0 and k4 (0.8) but nearer to k2 (0.96).
    assert [(p["source"], p["target"]) for p in pairs] == [("k0", "k4"), ("k1", "k2"), ("k2", "k1"), ("k4", "k0")]
    assert made.rows == {"in": 6, "out": 4, "dropped": {"empty_caption": 1, "outside_thresholds": 1}}
    counts = json.loads(made.path(".json").read_bytes())
    assert counts["without_pair"]["empty_caption"] == 1


def test_partners_with_the_same_label(results: Path) -> None:
    concepts = ["cat", "dog", "dog", "cat", "cat", "fox"]
    inputs = {"vectors": embedded(results, VECTORS), "truth": truth(results, concepts)}
    made = run(pair_table.STAGE, results, "pair_table/o", {"kind": "oracle"}, inputs)
    pairs = pq.read_table(made.path(".parquet")).to_pylist()
    assert [(p["source"], p["target"]) for p in pairs] == [("k0", "k4"), ("k1", "k2"), ("k2", "k1"), ("k4", "k0")]
    assert [p["cosine"] for p in pairs] == pytest.approx([1.0, 0.96, 0.96, 1.0])
    assert made.rows["dropped"] == {"alone_in_scope": 1, "empty_caption": 1}


def test_partners_of_the_same_day(results: Path) -> None:
    noon, night = 18_000 * 86_400 + 43_200, 18_001 * 86_400 - 1
    posted = {"k9": noon, "k4": noon, "k2": night + 1, "k1": None, "k0": night, "k3": noon}  # k5 has no row
    table = pa.table({"image_id": list(posted), "created_utc": pa.array(posted.values(), pa.int64())})
    posts = make_artifact(results, "annotations", "rows", {".parquet": parquet(table)})
    inputs = {"vectors": embedded(results, VECTORS), "truth": [], "posts": posts}
    made = run(pair_table.STAGE, results, "pair_table/d", {"kind": "same_day"}, inputs)
    pairs = pq.read_table(made.path(".parquet")).to_pylist()
    assert [(p["source"], p["target"]) for p in pairs] == [("k0", "k4"), ("k4", "k0")]
    assert made.rows == {"in": 6, "out": 2, "dropped": {"alone_in_scope": 1, "empty_caption": 1, "no_date": 2}}


@pytest.mark.parametrize("settings", [{"hubs": "cap"}, {"kind": "random"}])
def test_hub_corrections_and_random_pairs_account_for_every_image(results: Path, settings: dict[str, object]) -> None:
    inputs = {"vectors": embedded(results, np.random.default_rng(0).normal(size=(60, 8))), "truth": []}
    made = run(pair_table.STAGE, results, "pair_table/r", settings, inputs)
    pairs, counts = pq.read_table(made.path(".parquet")), json.loads(made.path(".json").read_bytes())
    assert len(pairs) == counts["pairs"] == 60 - sum(counts["without_pair"].values()) >= 50


def test_partners_that_show_the_same_picture_are_dropped(results: Path) -> None:
    rng = np.random.default_rng(0)
    grey = [rng.integers(0, 256, (6, 6, 3), np.uint8) for _ in range(6)]
    pictures = [Image.fromarray(one).resize((96, 96), Image.Resampling.BICUBIC) for one in grey]
    pictures[4] = pictures[0].crop((2, 2, 94, 94)).resize((80, 80))  # k0 and k4 are nearest neighbours
    keys = [f"k{i}" for i in range(6)]
    blocks = []
    for part in (slice(0, 3), slice(3, 6)):
        table = fingerprints_table(keys[part], stacked([print_of(one, False) for one in pictures[part]], False))
        blocks.append(make_artifact(results, "image_hashes", str(part.start), {".parquet": parquet(table)}))
    inputs = {"vectors": embedded(results, VECTORS), "truth": [], "hashes": blocks}
    made = run(pair_table.STAGE, results, "pair_table/p", {"drop_same_picture": True, "min_cosine": 0.5}, inputs)
    pairs = pq.read_table(made.path(".parquet")).to_pylist()
    assert [(p["source"], p["target"]) for p in pairs] == [("k1", "k2"), ("k2", "k1")]
    dropped = {"empty_caption": 1, "outside_thresholds": 1, "same_picture": 2}
    assert made.rows == {"in": 6, "out": 2, "dropped": dropped}
    inputs["hashes"] = blocks[:1]
    with pytest.raises(SystemExit):
        run(pair_table.STAGE, results, "pair_table/p", {"drop_same_picture": True}, inputs)


def test_pairs_stay_in_their_scope_and_do_not_depend_on_threads(results: Path) -> None:
    path = embedded(results, np.random.default_rng(0).normal(size=(40, 8)))
    hashes = set()
    for workers in ("1", "3"):
        name, settings, options = f"pair_table/w{workers}", {"k": 2, "scope": "subreddit"}, ["--workers", workers]
        inputs = {"vectors": path, "truth": []}
        made = run(pair_table.STAGE, results, name, settings, inputs, {"pairs": workers}, options=options)
        hashes.add(made.path(".parquet").read_bytes())
        pairs = pq.read_table(made.path(".parquet")).to_pylist()
        assert all(int(p["source"][1:]) % 2 == int(p["target"][1:]) % 2 for p in pairs)
        assert len(pairs) == 80
    assert len(hashes) == 1


def test_the_recall_of_an_index(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "FEWEST", 100)
    vectors = np.random.default_rng(0).normal(size=(300, 32))
    settings = {"k": 2, "index": "IVF16,Flat", "index_parameters": "nprobe=2", "recall_sample": 200}
    inputs = {"vectors": embedded(results, vectors / np.linalg.norm(vectors, axis=1, keepdims=True)), "truth": []}
    counts = []
    for name, search in (("a", settings), ("b", settings | {"recall_sample": 300}), ("e", {"k": 2})):
        made = run(pair_table.STAGE, results, f"pair_table/{name}", search, inputs)
        counts.append((json.loads(made.path(".json").read_bytes()), pq.read_table(made.path(".parquet")).to_pydict()))
    (by_index, found), (every, _), (exact, best) = counts
    assert "recall" not in exact
    recall = by_index["recall"]
    one, other = (set(zip(table["source"], table["target"], strict=True)) for table in (found, best))
    same = len(one & other) / len(other)
    assert recall["n"] == 200, "neighbours of one image count as one observation"
    assert same < 1 and recall["low"] <= same <= recall["high"]
    assert every["recall"]["n"] == 300 and every["recall"]["value"] == pytest.approx(same)


def test_the_first_row_counts_as_a_neighbour() -> None:
    near = neighbours.Near(np.array([[1], [0]]), np.ones((2, 1)), np.arange(2), np.arange(2, dtype=np.uint64))
    assert nearest._recall(near, near, np.array([1])) == (1, 1, 1)


@pytest.mark.parametrize(("name", "value"), [("index_parameters", "nprobe=2"), ("recall_sample", 5)])
def test_index_settings_without_an_index_are_refused(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"{name} has no effect with index Flat"):
        pair_table.PairTable(**{name: value})
    with pytest.raises(ValueError, match=f"{name} has no effect with index Flat"):
        pair_table.PairTable.model_validate_json(json.dumps({"index": "Flat", name: value}))


def test_the_record_names_the_build_of_faiss(results: Path) -> None:
    inputs = {"vectors": embedded(results, VECTORS), "truth": []}
    made = run(pair_table.STAGE, results, "pair_table/p", {}, inputs)
    record = json.loads(made.manifest_path.with_name("p.run.json").read_bytes())
    assert "faiss-cpu" in record["environment"]["packages"] and "faiss" not in record["environment"]["packages"]
    assert record["packages"]["faiss-cpu"].startswith(record["environment"]["packages"]["faiss-cpu"])


def test_two_builds_of_faiss(results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: Fails) -> None:
    (tmp_path / "faiss_gpu_cuvs-1.15.1.dist-info").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    with fails("several builds of FAISS"):
        run(pair_table.STAGE, results, "pair_table/p", {}, {"vectors": embedded(results, VECTORS), "truth": []})


def test_swapped_cosine_thresholds_are_an_error(results: Path, fails: Fails) -> None:
    with fails("min_cosine 0.9 is above max_cosine 0.1"):
        settings = {"min_cosine": 0.9, "max_cosine": 0.1}
        run(pair_table.STAGE, results, "pair_table/p", settings, {"vectors": embedded(results, VECTORS), "truth": []})
