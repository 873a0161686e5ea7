"""The shipped BLIP-2 on pictures that it has never seen: the three figures that the demo promises, and more."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoProcessor, Blip2ForConditionalGeneration, Blip2ForImageTextRetrieval

import workflow_scripts.demo
from workflow_scripts.demo.world.vocabulary import LEVELS, caption, title
from workflow_scripts.demo.world.world import scene_of
from workflow_scripts.models.text_norms import blip

FOLDER = Path(workflow_scripts.demo.__file__).parent / "captioner"
SEED, COUNT, BATCH = 715, 600, 100
PARTS = [slice(start, start + BATCH) for start in range(0, COUNT, BATCH)]


def greedy_captions(images: list[Image.Image]) -> list[str]:
    model = Blip2ForConditionalGeneration.from_pretrained(FOLDER / "caption").eval()
    processor = AutoProcessor.from_pretrained(FOLDER / "caption")
    found: list[str] = []
    for part in PARTS:
        inputs = processor(images=images[part], text=[""] * BATCH, return_tensors="pt")
        tokens = model.generate(**inputs, max_new_tokens=16, do_sample=False)[:, inputs["input_ids"].shape[1] :]
        found += [text.strip() for text in processor.batch_decode(tokens, skip_special_tokens=True)]
    return found


def match_scores(images: list[Image.Image], texts: list[str], head: bool = True) -> np.ndarray:
    """Logit of match minus logit of no match of each picture and text (``head``), or the contrastive cosine."""
    model = Blip2ForImageTextRetrieval.from_pretrained(FOLDER / "match").eval()
    processor = AutoProcessor.from_pretrained(FOLDER / "match")
    found = []
    for part in PARTS:
        written = [blip(text) for text in texts[part]]
        inputs = processor(images=images[part], text=written, padding=True, truncation=True, return_tensors="pt")
        logits = model(**inputs, use_image_text_matching_head=head).logits_per_image
        found.append(logits[:, 1] - logits[:, 0] if head else logits.diagonal())
    return torch.cat(found).numpy()


@pytest.fixture(scope="module")
@torch.inference_mode()
def figures() -> dict[str, float]:
    """Shares of unseen pictures whose greedy caption names a property, or whose true caption has the higher score."""
    drawn = [scene_of(SEED, "captioner_score", index) for index in range(COUNT)]
    specs, images = [spec for spec, _, _ in drawn], [Image.fromarray(picture) for _, picture, _ in drawn]
    generated, true = greedy_captions(images), [caption(spec) for spec in specs]
    told = [set(text.split()) for text in generated]
    found = {
        name: np.mean([getattr(spec, name) in words for spec, words in zip(specs, told, strict=True)])
        for name in ("concept", "colour")
    }
    # The nearest following picture with another caption: never a false negative.
    others = [next(text for text in true[i + 1 :] + true[:i] if text != true[i]) for i in range(len(true))]
    own, ours, rng = match_scores(images, true), match_scores(images, generated), np.random.default_rng(SEED)
    found["itm_another"] = np.mean(own > match_scores(images, others))
    for level in LEVELS[1:]:
        loose = match_scores(images, [title(rng, spec, level) for spec in specs])
        found[f"itm_{level}"], found[f"itm_generated_over_{level}"] = np.mean(own > loose), np.mean(ours > loose)
    cosines = [match_scores(images, texts, head=False) for texts in (true, others)]
    return found | {"itc_another": np.mean(cosines[0] > cosines[1])}


@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("concept", 0.80),
        ("colour", 0.95),
        ("itm_another", 0.90),
        ("itm_vague", 0.95),
        ("itm_wrong", 0.95),
        ("itm_partial", 0.85),
        ("itc_another", 0.90),
        ("itm_generated_over_vague", 0.85),
    ],
)
def test_the_captioner_reaches_its_accuracies(figures: dict[str, float], name: str, least: float) -> None:
    assert figures[name] >= least


def test_the_weights_are_small_and_only_safetensors() -> None:
    files = [path for path in FOLDER.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 16_000_000
    assert {path.suffix for path in files} <= {".json", ".safetensors"}
    for name in ("caption", "match"):
        assert (FOLDER / name / "model.safetensors").is_file()
