"""Runs that learn from tokens or vectors of captions, or from which captions are equal."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from tests.file_bytes import parquet
from tests.helpers import Fails, make_artifact, run
from tests.pretraining.data.embedded import embedded
from tests.stages.test_pretrain import KEYS, LANGUAGE, common_of, make_index, pairs_of, planned
from workflow_scripts.core.artifact import Artifact
from workflow_scripts.core.declaration.facts import Load
from workflow_scripts.embeddings.facts import WIDTH
from workflow_scripts.models.text.tower import load_tower
from workflow_scripts.stages import tokenizer, tokens
from workflow_scripts.stages.pretrain import FACTS, STAGE

CAPTIONS = ["a disc", "", None, "two", *(["more", "a disc"] * 8)]
BY_ARM: dict[str, Any] = {**LANGUAGE, "pairs": "caption", "simclr": None}
XCLR = {**BY_ARM, "method": "xclr"}
SMALL = {"projector": [16, 8]}


@pytest.fixture
def inputs(results: Path) -> dict[str, Path]:
    """20 images, 18 of which have a caption, and vectors of their captions."""
    captions = parquet({"key": KEYS, "caption": CAPTIONS})
    rows = np.random.default_rng(0).normal(size=(20, 6)) + 1
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    rows[[i for i, text in enumerate(CAPTIONS) if not text]] = 0
    embedded(results, "original.mpnet", KEYS, rows)
    return {
        "images": make_index(results),
        "captions": make_artifact(results, "select_captions", "original", {".parquet": captions}),
        "vectors": results / "study/embed_captions/original.mpnet.manifest.json",
    }


@pytest.fixture
def index(results: Path) -> Path:
    return make_index(results)


def facts_of(made: Artifact) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(made.path("/run.json").read_bytes())
    return found


def losses(made: Artifact) -> list[float]:
    found: list[float] = pq.read_table(made.path("/curve.parquet"))["loss"].to_pylist()[1:]  # none before a step
    return found


def test_clip_sbert_learns_from_vectors(results: Path, inputs: dict[str, Path]) -> None:
    settings = {**BY_ARM, "method": "clip_sbert", "clip_sbert": {"embedding": 8}}
    made = run(STAGE, results, "pretrain/run", settings, inputs)
    assert made.rows == {"in": 20, "out": 18, "dropped": {"no_caption": 2}}
    assert np.isfinite(losses(made)).all()
    assert "target_perplexity" not in facts_of(made)


def test_xclr_records_target_temperature_and_perplexity(results: Path, inputs: dict[str, Path]) -> None:
    plain = run(STAGE, results, "pretrain/plain", {**XCLR, "xclr": SMALL}, inputs)
    facts = facts_of(plain)
    assert facts["target_temperature"] == 0.1 and 1 < facts["target_perplexity"] < 15
    wanted = run(STAGE, results, "pretrain/wanted", {**XCLR, "xclr": {**SMALL, "match_perplexity": 9}}, inputs)
    found = facts_of(wanted)
    assert found["target_perplexity"] == pytest.approx(9, rel=1e-3)
    assert found["target_temperature"] != 0.1 and losses(wanted) != losses(plain)
    # The same temperature, set by hand, is the same training.
    by_hand = {**SMALL, "target_temperature": found["target_temperature"]}
    again = run(STAGE, results, "pretrain/by_hand", {**XCLR, "xclr": by_hand}, inputs)
    assert facts_of(again) == found
    assert again.path("/last.safetensors").read_bytes() == wanted.path("/last.safetensors").read_bytes()


def test_a_perplexity_that_no_temperature_gives_is_an_error(
    results: Path, inputs: dict[str, Path], fails: Fails
) -> None:
    with fails("error: perplexity out of reach in pretraining.xclr.match_perplexity: 15.5 is not between 1 and 15"):
        run(STAGE, results, "pretrain/run", {**XCLR, "xclr": {**SMALL, "match_perplexity": 15.5}}, inputs)


def test_equal_captions_form_a_class(results: Path, inputs: dict[str, Path]) -> None:
    settings = {**LANGUAGE, "method": "multi_positive", "simclr": None, "multi_positive": SMALL}
    sources = [key for key, text in zip(KEYS, CAPTIONS, strict=True) if text]
    given = {"images": inputs["images"], "pairs": pairs_of(results, sources, sources[1:] + sources[:1])}
    made = run(STAGE, results, "pretrain/run", settings, given | {"captions": inputs["captions"]})
    assert made.rows == {"in": 20, "out": 18, "dropped": {"no_pair": 2}}
    unequal = parquet({"key": KEYS, "caption": [text and f"{text} {i}" for i, text in enumerate(CAPTIONS)]})
    other = make_artifact(results, "select_captions", "unequal", {".parquet": unequal})
    apart = run(STAGE, results, "pretrain/apart", settings, given | {"captions": other})
    simclr = run(STAGE, results, "pretrain/simclr", {**LANGUAGE, "simclr": SMALL}, given)
    assert losses(apart) == pytest.approx(losses(simclr), rel=1e-4)
    assert losses(made)[0] > 1.05 * losses(simclr)[0]


def scored(results: Path, itm: list[float | None]) -> Path:
    """Captions with the matcher's scores."""
    table = parquet({"key": KEYS, "caption": CAPTIONS, "itm": pa.array(itm, pa.float32())})
    return make_artifact(results, "select_captions", "scored", {".parquet": table})


def test_pairs_count_by_how_faithful_their_captions_are(results: Path, inputs: dict[str, Path]) -> None:
    sources = [key for key, text in zip(KEYS, CAPTIONS, strict=True) if text]
    settings = {**LANGUAGE, "simclr": SMALL, "unpaired": "self"}
    given = {"images": inputs["images"], "pairs": pairs_of(results, sources, sources[1:] + sources[:1])}
    plain = run(STAGE, results, "pretrain/plain", settings, given)
    equal = given | {"faithfulness": scored(results, [2.0] * 16 + [None] * 4)}
    same = run(STAGE, results, "pretrain/equal", settings | {"pair_weight": "itm"}, equal)
    assert facts_of(same) == facts_of(plain) | {"without_score": 4}
    assert losses(same) == pytest.approx(losses(plain), rel=1e-6)
    unequal = given | {"faithfulness": scored(results, [2.0, 2.0, 2.0, -1.0] * 5)}
    other = run(STAGE, results, "pretrain/unequal", settings | {"pair_weight": "itm"}, unequal)
    assert other.rows == plain.rows
    assert losses(other)[0] < 0.95 * losses(plain)[0]


def test_agreement_compares_the_captions_of_two_arms(results: Path, inputs: dict[str, Path]) -> None:
    rows = np.random.default_rng(1).normal(size=(20, 6))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    embedded(results, "generated.mpnet", KEYS, rows)
    both = [inputs["vectors"], results / "study/embed_captions/generated.mpnet.manifest.json"]
    settings = {**BY_ARM, "method": "clip_sbert", "clip_sbert": {"embedding": 8}}
    plain = run(STAGE, results, "pretrain/plain", settings, inputs)
    found = run(
        STAGE, results, "pretrain/run", settings | {"pair_weight": "agreement"}, inputs | {"faithfulness": both}
    )
    assert facts_of(found)["without_score"] == 0  # images without a caption are not trained on
    assert losses(found)[0] < 0.95 * losses(plain)[0]


def test_weights_need_some_score(results: Path, inputs: dict[str, Path], fails: Fails) -> None:
    settings = {**LANGUAGE, "pair_weight": "itm"}
    given = {"images": inputs["images"], "pairs": pairs_of(results, KEYS[:10], KEYS[1:11])}
    with fails("error: no weights of pairs in pair_weight: no caption of 10 images"):
        run(STAGE, results, "pretrain/run", settings, given | {"faithfulness": scored(results, [None] * 20)})


def test_the_disk_estimate_includes_the_copy_of_the_vectors() -> None:
    def needed(method: str) -> float:
        load = Load(rows=100, images=90, labelled=0, masked=0, tested=0, settings={"method": method})
        return FACTS.disk(replace(load, weights_bytes=10, checkpoints=1))

    assert needed("simclr") == 70
    assert needed("xclr") == needed("clip_sbert") == 70 + 100 * WIDTH * 4


CLIP: dict[str, Any] = {
    **LANGUAGE,
    "method": "clip",
    "pairs": "caption",
    "simclr": None,
    "clip": {"embedding": 8, "text_width": 16, "text_layers": 1, "text_heads": 2},
}


def tokens_of(results: Path, captions: list[str | None]) -> Path:
    """Tokens of the images' captions by a tokenizer that was trained on them."""
    arm = make_artifact(
        results, "select_captions", "original", {".parquet": parquet({"key": KEYS, "caption": captions})}
    )
    table = make_artifact(results, "caption_table", "captions", {".parquet": parquet({"original": captions})})
    made = run(tokenizer.STAGE, results, "tokenizer/tokenizer", {"vocabulary": 280}, {"captions": table})
    inputs = {"captions": arm, "tokenizer": made.manifest_path}
    return run(tokens.STAGE, results, "tokens/original", {"context": 8}, inputs, {"arm": "original"}).manifest_path


def test_a_clip_run_leaves_images_without_caption_out(results: Path, index: Path) -> None:
    rows = tokens_of(results, ["a disc", "two", "", None, *(["more <img src=x>"] * 16)])
    made = run(STAGE, results, "pretrain/clip", CLIP, {"images": index, "tokens": rows})
    assert made.rows == {"in": 20, "out": 18, "dropped": {"no_caption": 2}}
    tower = load_tower(made.path("/text.safetensors"))
    assert tower(torch.tensor([[1, 5, 2]])).shape == (1, 8) and tower.shape["context"] == 8
    assert np.isfinite(pq.read_table(made.path("/curve.parquet"))["loss"].to_pylist()[1:]).all()


def test_tokens_are_those_of_common_images(results: Path, index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plans = planned(monkeypatch)
    texts = ["", *("w" * i for i in range(1, 20))]
    rows = tokens_of(results, texts)
    inputs = {"images": index, "tokens": rows, "common": common_of(results, KEYS[1:20:2])}
    made = run(STAGE, results, "pretrain/clip", CLIP, inputs)
    assert made.rows == {"in": 20, "out": 10, "dropped": {"no_caption": 1, "not_common": 9}}
    assert plans[0].pairing.sources.tolist() == list(range(1, 20, 2))
    everything = pq.read_table(Artifact(rows).path(".parquet"))["tokens"].to_numpy()
    assert plans[0].tokens is not None and plans[0].tokens.lengths.tolist() == everything[1:20:2].tolist()


def test_lgslip_learns_from_pairs_with_the_caption_of_the_first_image(
    results: Path, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plans = planned(monkeypatch)
    rows = tokens_of(results, ["", *("w" * i for i in range(1, 20))])
    settings = {**LANGUAGE, "method": "lgslip", "simclr": None, "lgslip": {**CLIP["clip"], "projector": [16]}}
    inputs = {"images": index, "tokens": rows, "pairs": pairs_of(results, KEYS[:17], KEYS[1:18])}
    made = run(STAGE, results, "pretrain/lgslip", settings, inputs)
    assert made.rows == {"in": 20, "out": 16, "dropped": {"no_pair": 3, "no_caption": 1}}
    assert np.isfinite(pq.read_table(made.path("/curve.parquet"))["loss"].to_pylist()[1:]).all()
    assert plans[0].pairing.sources.tolist() == list(range(1, 17))
    assert plans[0].pairing.targets.tolist() == list(range(2, 18))
    everything = pq.read_table(Artifact(rows).path(".parquet"))["tokens"].to_numpy()
    assert plans[0].tokens is not None and plans[0].tokens.lengths.tolist() == everything[1:17].tolist()
