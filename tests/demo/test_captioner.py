"""The shipped BLIP-2 on pictures that it has never seen: the three figures that the demo promises, and more."""

from pathlib import Path

import pytest

import workflow_scripts.demo
from workflow_scripts.demo.captioner_training.score import score

FOLDER = Path(workflow_scripts.demo.__file__).parent / "captioner"
COUNT = 600


@pytest.fixture(scope="module")
def figures():
    found = score(FOLDER, COUNT)
    print(f"\nshipped captioner on {COUNT} unseen pictures:", {name: round(value, 4) for name, value in found.items()})
    return found


@pytest.mark.parametrize(("name", "least"), [("concept", 0.80), ("colour", 0.95), ("itm_another", 0.90)])
def test_the_captioner_reaches_the_documented_accuracies(figures, name, least):
    assert figures[name] >= least


def test_the_true_caption_is_preferred_to_vague_wrong_and_partial_ones(figures):
    assert figures["itm_vague"] >= 0.95 and figures["itm_wrong"] >= 0.95 and figures["itm_partial"] >= 0.85
    assert figures["itc_another"] >= 0.90
    assert figures["itm_generated_over_vague"] >= 0.85


def test_the_weights_are_small_and_only_safetensors():
    files = [path for path in FOLDER.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 16_000_000
    assert {path.suffix for path in files} <= {".json", ".safetensors"}
    for name in ("caption", "match"):
        assert (FOLDER / name / "model.safetensors").is_file()
