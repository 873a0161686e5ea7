"""What captioner and matcher compute once of an image, and when."""

import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from workflow_scripts.captions.recaptioning.decoding import Decoding
from workflow_scripts.captions.recaptioning.generate import load_captioner
from workflow_scripts.captions.recaptioning.models import GivenStates, Models, load_models
from workflow_scripts.captions.recaptioning.shard import prepare, recaption_batch
from workflow_scripts.models.text_norms import MatchedText

DECODING = Decoding(prompt="a photo of", max_new_tokens=6, num_captions=2)


def loaded(captioner: Path, matcher: Path) -> Models:
    return load_models(captioner, matcher, "cpu", DECODING, MatchedText())


@pytest.fixture(scope="module")
def shared(checkpoints: dict[str, Path]) -> Models:
    return loaded(checkpoints["captioner"], checkpoints["matcher"])


def is_given(models: Models) -> bool:
    """Whether the layers of the captioner's tower are those of the matcher."""
    return isinstance(models.captioner.model.vision_model.encoder, GivenStates)


@contextmanager
def passes(*towers: torch.nn.Module) -> Iterator[list[int]]:
    """One entry for each pass of a batch through the layers of a vision tower."""
    seen: list[int] = []
    with ExitStack() as stack:
        for tower in towers:
            for name, layer in tower.named_modules():
                if name == "encoder.layers.0":
                    stack.enter_context(layer.register_forward_hook(lambda *_: seen.append(1)))
        yield seen


def test_equal_towers_compute_once_what_two_would(
    shared: Models, checkpoints: dict[str, Path], pictures: list[Image.Image]
) -> None:
    own = load_captioner(checkpoints["captioner"], "cpu")
    apart = replace(shared, captioner=own, same_pixels=False)
    keys, tables = [f"k{i}" for i in range(len(pictures))], []
    assert is_given(shared) and shared.same_pixels
    for models, expected in ((shared, 1), (apart, 2)):
        with passes(models.captioner.model.vision_model, models.matcher.checkpoint.model.vision_model) as seen:
            tables.append(recaption_batch(models, prepare(models, pictures), keys, ["a red cat"] * len(keys)))
        assert len(seen) == expected
    assert tables[0].equals(tables[1]) and len(set(tables[0]["generated"].to_pylist())) > 3


def test_the_norm_after_the_layers_is_each_models_own(
    shared: Models, checkpoints: dict[str, Path], pictures: list[Image.Image], tmp_path: Path
) -> None:
    """BLIP-2 trains it in both of its stages."""
    folder = tmp_path / "matcher"
    shutil.copytree(checkpoints["matcher"], folder)
    weights = load_file(folder / "model.safetensors")
    weights["vision_model.post_layernorm.weight"] *= 1.5
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    models, keys, tables = loaded(checkpoints["captioner"], folder), [f"k{i}" for i in range(len(pictures))], []
    assert is_given(models)
    apart = replace(models, captioner=load_captioner(checkpoints["captioner"], "cpu"), same_pixels=False)
    for some in (models, apart, shared):
        tables.append(recaption_batch(some, prepare(some, pictures), keys, ["a red cat"] * len(keys)))
    assert tables[0].equals(tables[1])
    assert tables[0]["generated"] == tables[2]["generated"] and tables[0]["itm_original"] != tables[2]["itm_original"]


@pytest.mark.parametrize("change", ["weight", "preprocessing", "configuration"])
def test_other_towers_or_pixels_are_not_shared(
    change: str, checkpoints: dict[str, Path], pictures: list[Image.Image], tmp_path: Path
) -> None:
    folder = tmp_path / "matcher"
    shutil.copytree(checkpoints["matcher"], folder)
    if change == "weight":
        weights = load_file(folder / "model.safetensors")
        name = next(name for name in weights if name.startswith("vision_model") and name.endswith("fc1.weight"))
        weights[name][0, 0] += 1e-3
        save_file(weights, folder / "model.safetensors", {"format": "pt"})
    else:
        file, section, values = {
            "preprocessing": ("processor_config.json", "image_processor", {"image_mean": [0.4, 0.4, 0.4]}),
            "configuration": ("config.json", "vision_config", {"layer_norm_eps": 1e-3}),
        }[change]
        config = json.loads((folder / file).read_text())
        config[section].update(values)
        (folder / file).write_text(json.dumps(config))
    models = loaded(checkpoints["captioner"], folder)
    assert not is_given(models) and models.same_pixels == (change != "preprocessing")
    batch = prepare(models, pictures[:2])
    assert torch.equal(batch.pixels, models.matcher.checkpoint.pixels(pictures[:2]))
    own = load_captioner(checkpoints["captioner"], "cpu").pixels(pictures[:2])
    assert torch.equal(batch.inputs["pixel_values"], own)


def test_a_captioner_of_another_family_keeps_its_tower(checkpoints: dict[str, Path], tmp_path: Path) -> None:
    from tests.captions.small_captioners import save_captioner

    models = loaded(save_captioner("git", tmp_path), checkpoints["matcher"])
    assert not hasattr(models.captioner.model, "vision_model") and not models.same_pixels
