"""The shipped BLIP-2 on pictures that it has never seen: the accuracies that the demo states, and more."""

from pathlib import Path

import pytest

import workflow_scripts.demo
from tests.demo.captioner_training.score import named_right, preferred
from tests.demo.captioner_training.train import Plan

FOLDER = Path(workflow_scripts.demo.__file__).parent / "captioner"
COUNT = 300
STATED = {"caption50": 0.50, "caption75": 0.75, "caption": 0.98}


@pytest.fixture(scope="module")
def figures():
    found = {name: named_right(FOLDER / name, FOLDER / "match", COUNT) for name in STATED}
    for name, values in found.items():
        print(f"\n{name} on {COUNT} unseen pictures:", {figure: round(value, 4) for figure, value in values.items()})
    return found


@pytest.mark.parametrize("name", STATED)
def test_captioners_name_as_many_concepts_as_stated(figures, name):
    assert figures[name]["concept"] == pytest.approx(STATED[name], abs=0.08 if name != "caption" else 0.025)
    assert figures[name]["concept_of_two"] > figures[name]["concept"] - 0.02 and figures[name]["distinct"] > 0.97


def test_the_best_captioner_names_colour_and_scene_right(figures):
    """Sizes, textures and places it has learned in part."""
    assert min(figures["caption"][name] for name in ("colour", "scene")) >= 0.9


def test_the_true_caption_is_preferred_to_titles_that_say_less_or_wrong():
    found = preferred(FOLDER / "match", COUNT)
    assert min(found[name] for name in ("another", "vague", "topical", "wrong")) >= 0.95, found
    assert found["itc"] >= 0.92, found  # learned from captions that name more than these do


def test_the_weights_are_small_and_only_safetensors():
    files = [path for path in FOLDER.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 12_000_000
    assert {path.suffix for path in files} <= {".json", ".safetensors"}
    assert {path.parent.name for path in files} == {*STATED, "match"} == {*dict(Plan().stops), "match"}
    assert all((FOLDER / name / "model.safetensors").is_file() for name in (*STATED, "match"))
