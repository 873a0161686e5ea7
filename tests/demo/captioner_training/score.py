"""How good the demo's BLIP-2 is, on pictures of the demo's world that neither it nor any study has seen."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from transformers import AutoProcessor, Blip2ForConditionalGeneration

from tests.demo.captioner_training.data import ALL, TRUE, pictures
from workflow_scripts.demo.world.settings import LABELS, Label
from workflow_scripts.demo.world.texts import KINDS, TOPICS, caption, title
from workflow_scripts.demo.world.vocabulary import Spec, named
from workflow_scripts.models.matcher import load_matcher

SEED, SPLIT = 715, "captioner_score"
EACH = 2  # captions of an image, of which the matcher chooses, as in the demo


def unseen(count: int, size: int, seed: int = SEED) -> tuple[list[Spec], list]:
    """What `count` pictures of a split of their own show, and the pictures as PIL images."""
    specs, images = pictures(seed, count, size, 1, SPLIT)
    return specs, [Image.fromarray(image) for image in images]


@torch.inference_mode()
def sampled_captions(folder: Path, images: list, batch: int = 100) -> list[list[str]]:
    """EACH captions of every image by the model in `folder`, drawn from the nucleus of 0.9."""
    model = Blip2ForConditionalGeneration.from_pretrained(folder).eval()
    processor = AutoProcessor.from_pretrained(folder)
    torch.manual_seed(SEED)
    found: list[list[str]] = []
    for start in range(0, len(images), batch):
        part = images[start : start + batch]
        inputs = processor(images=part, text=[""] * len(part), return_tensors="pt")
        drawn = {"do_sample": True, "top_p": 0.9, "top_k": 0, "num_return_sequences": EACH}
        tokens = model.generate(**inputs, max_new_tokens=24, **drawn)[:, inputs["input_ids"].shape[1] :]
        texts = [text.strip() for text in processor.batch_decode(tokens, skip_special_tokens=True)]
        found += [texts[at : at + EACH] for at in range(0, len(texts), EACH)]
    return found


def match_scores(folder: Path, images: list, texts: list[str], batch: int = 100) -> tuple[np.ndarray, np.ndarray]:
    """Per picture and text: logit of match minus logit of no match (ITM), and the contrastive cosine (ITC)."""
    matcher = load_matcher(folder, "cpu", 64)
    found = []
    for start in range(0, len(images), batch):
        part = slice(start, start + batch)
        prepared = matcher.prepare(matcher.load(images[part]))
        found.append(matcher.scores(prepared, matcher.read(texts[part])))
    itm, cosine = (torch.cat(column).numpy() for column in zip(*found, strict=True))
    return itm, cosine


def named_right(captioner: Path, matcher: Path, count: int, seed: int = SEED) -> dict[str, float]:
    """Of captions of `count` unseen pictures, the share that names the concept right (`concept`), of those that name
    another property the share that names it right, and that of different ones (`distinct`); and the share that names
    the concept right of the better one by ITM of two captions (`concept_of_two`)."""
    specs, images = unseen(count, 48, seed)
    drawn = sampled_captions(captioner, images)
    scores = np.stack([match_scores(matcher, images, [texts[at] for texts in drawn])[0] for at in range(EACH)])
    better = [texts[at] for texts, at in zip(drawn, scores.argmax(axis=0), strict=True)]
    first = [texts[0] for texts in drawn]
    found = {name: _right(specs, first, name) for name in LABELS}
    return found | {"concept_of_two": _right(specs, better, "concept"), "distinct": len(set(first)) / count}


def _right(specs: list[Spec], captions: list[str], name: Label) -> float:
    """The share of captions that name a property right among those that name it; all name a concept."""
    told = [named(text)[name] for text in captions]
    hits = [
        values == {getattr(spec, name)} for spec, values in zip(specs, told, strict=True) if values or name == "concept"
    ]
    return float(np.mean(hits))


def preferred(matcher: Path, count: int, seed: int = SEED) -> dict[str, float]:
    """Shares of `count` unseen pictures for which a true caption scores above a title of each kind and above another
    picture's caption (`another`), by the matching head; and above the latter by the contrastive cosine (`itc`)."""
    specs, images = unseen(count, 48, seed)
    rng = np.random.default_rng(seed)
    true = [caption(rng, spec, TRUE, ALL).text for spec in specs]
    # the next picture shows another concept: never a false negative
    others = {"another": true[1:] + true[:1]}
    for kind in KINDS:
        others[kind] = [title(rng, spec, kind, str(rng.choice(list(TOPICS)))).text for spec in specs]
    own, cosine = match_scores(matcher, images, true)
    scores = {name: match_scores(matcher, images, texts) for name, texts in others.items()}
    found = {name: float(np.mean(own > itm)) for name, (itm, _) in scores.items()}
    return {**found, "itc": float(np.mean(cosine > scores["another"][1]))}
