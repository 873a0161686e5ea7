"""How good the demo's BLIP-2 is, on pictures that neither it nor any study has seen."""

from pathlib import Path

import numpy as np
import torch
from transformers import AutoProcessor, Blip2ForConditionalGeneration, Blip2ForImageTextRetrieval

from workflow_scripts.demo.captioner_training.data import pictures
from workflow_scripts.demo.world.vocabulary import LEVELS, Spec, caption, title
from workflow_scripts.demo.world.world import to_image
from workflow_scripts.models.text_norms import blip

SEED, SPLIT = 715, "captioner_score"


def unseen(count: int, size: int, seed: int = SEED) -> tuple[list[Spec], list]:
    """What `count` pictures of a split of their own show, and the pictures as PIL images."""
    specs, images = pictures(seed, count, size, 1, SPLIT)
    return specs, [to_image(image) for image in images]


@torch.inference_mode()
def greedy_captions(folder: Path, images: list, batch: int = 100) -> list[str]:
    """Greedy captions by the model in `folder`."""
    model = Blip2ForConditionalGeneration.from_pretrained(folder).eval()
    processor = AutoProcessor.from_pretrained(folder)
    found: list[str] = []
    for start in range(0, len(images), batch):
        inputs = processor(
            images=images[start : start + batch], text=[""] * len(images[start : start + batch]), return_tensors="pt"
        )
        tokens = model.generate(**inputs, max_new_tokens=16, do_sample=False)
        tokens = tokens[:, inputs["input_ids"].shape[1] :]
        found += [text.strip() for text in processor.batch_decode(tokens, skip_special_tokens=True)]
    return found


@torch.inference_mode()
def match_scores(folder: Path, images: list, texts: list[str], head: bool = True, batch: int = 100) -> np.ndarray:
    """Per picture and text, written as the workflow scores it: logit of match minus logit of no match (`head`), or the
    contrastive cosine."""
    model = Blip2ForImageTextRetrieval.from_pretrained(folder).eval()
    processor = AutoProcessor.from_pretrained(folder)
    found = []
    for start in range(0, len(images), batch):
        part = slice(start, start + batch)
        written = [blip(text) for text in texts[part]]
        inputs = processor(images=images[part], text=written, padding=True, truncation=True, return_tensors="pt")
        logits = model(**inputs, use_image_text_matching_head=head).logits_per_image
        found.append(logits[:, 1] - logits[:, 0] if head else logits.diagonal())
    return torch.cat(found).numpy()


def score(folder: Path, count: int = 600, seed: int = SEED) -> dict[str, float]:
    """Shares of `count` unseen pictures: properties named in the greedy caption, true caption preferred.

    `itm_...` compare the matching head's score of the true (or generated) caption with that of another text;
    `itc_another` does so with the contrastive cosine, against another picture's caption.
    """
    specs, images = unseen(count, 48, seed)
    captions = greedy_captions(folder / "caption", images)
    return _named(specs, captions) | _preferred(folder / "match", specs, images, captions)


def _named(specs: list[Spec], captions: list[str]) -> dict[str, float]:
    told = [set(text.split()) for text in captions]
    found = {
        name: float(np.mean([getattr(spec, name) in words for spec, words in zip(specs, told, strict=True)]))
        for name in ("concept", "colour", "size")
    }
    return {**found, "whole_caption": float(np.mean([a == caption(b) for a, b in zip(captions, specs, strict=True)]))}


def _preferred(folder: Path, specs: list[Spec], images: list, captions: list[str]) -> dict[str, float]:
    true = [caption(spec) for spec in specs]
    # the nearest following picture with another caption: never a false negative
    others = [next(text for text in true[i + 1 :] + true[:i] if text != true[i]) for i in range(len(true))]
    own, generated = match_scores(folder, images, true), match_scores(folder, images, captions)
    found = {"itm_another": float(np.mean(own > match_scores(folder, images, others)))}
    rng = np.random.default_rng(SEED)
    for level in LEVELS[1:]:
        loose = match_scores(folder, images, [title(rng, spec, level) for spec in specs])
        found[f"itm_{level}"] = float(np.mean(own > loose))
        found[f"itm_generated_over_{level}"] = float(np.mean(generated > loose))
    cosines = [match_scores(folder, images, texts, head=False) for texts in (true, others)]
    return {**found, "itc_another": float(np.mean(cosines[0] > cosines[1]))}
