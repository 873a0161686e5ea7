"""Train the demo's small BLIP-2: a matcher, and captioners of three accuracies, which are stops of one training.

    python -m tests.demo.captioner_training.train --out workflow_scripts/demo/captioner

It writes the folders `match`, `caption` (after the last step), `caption75` and `caption50` (after earlier ones, named
for the share of concepts that they name right in one caption).

The shipped weights come from this command: seed 20190101, one math thread, 24,000 pictures of the
split "captioner", which no study draws from. It takes about 12 minutes of one core (620 s of training measured, and
70 s of drawing), 1 GB of memory, and ends with the figures of `score.py` on 1,000 unseen pictures. The same machine
gives the same weights again; another processor or version of torch may round otherwise and give slightly other ones.
The shipped captioners have not learned all properties: of those that they name, places are right in 65 % (chance 33),
sizes in 58 % (50) and textures in 46 % (25).

The models learn to name properties, to caption, to match and to contrast. The last three objectives are BLIP-2's (Li et
al. 2023, arXiv 2301.12597, section 3); the first, plain classification of the vision tower's output, shortens the
training of so small a tower. Each runs through the models' own modules, with the vision tower passed once per picture.
"""

import argparse
import logging
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy, normalize
from transformers import Blip2ForConditionalGeneration, Blip2ForImageTextRetrieval

from tests.demo.captioner_training import models as blip2
from tests.demo.captioner_training.data import PROPERTIES, full_captions, labels, pictures, training_texts
from tests.demo.captioner_training.score import named_right, preferred
from workflow_scripts.models.matcher import match_logits, query_states, text_features
from workflow_scripts.stats.seeds import derive

log = logging.getLogger(__name__)


class PropertyHeads(nn.Module):
    """Linear heads over the class state and the mean patch state of the vision tower; not part of BLIP-2."""

    weights = (2.0, 1.0, 2.0, 1.5, 0.5, 1.5)

    def __init__(self, width: int) -> None:
        super().__init__()
        self.sizes = [len(values) for values in PROPERTIES.values()]
        self.linear = nn.Linear(2 * width, sum(self.sizes))

    def forward(self, states: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """(n, patches + 1, width) -> logits (n, values) per property."""
        joined = torch.cat([states[:, 0], states[:, 1:].mean(dim=1)], dim=1)
        return self.linear(joined).split(self.sizes, dim=1)

    def loss(self, states: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Weighted cross-entropy over the properties; `labels` (n, properties) int64."""
        terms = [
            weight * cross_entropy(logits, labels[:, i], label_smoothing=0.05)
            for i, (logits, weight) in enumerate(zip(self(states), self.weights, strict=True))
        ]
        return torch.stack(terms).sum()


def caption_loss(
    model: Blip2ForConditionalGeneration, states: torch.Tensor, tokenizer: Any, texts: Sequence[str]
) -> torch.Tensor:
    """Mean cross-entropy of the captions' tokens and end, given vision states."""
    encoded = tokenizer([text + tokenizer.eos_token for text in texts], padding=True, return_tensors="pt")
    tokens, mask = encoded["input_ids"], encoded["attention_mask"]
    image = model.language_projection(query_states(model, states))
    embedded = torch.cat([image, model.get_input_embeddings()(tokens)], dim=1)
    joined = torch.cat([mask.new_ones(image.shape[:2]), mask], dim=1)
    logits = model.language_model(inputs_embeds=embedded, attention_mask=joined).logits[:, image.shape[1] : -1]
    wanted = tokens[:, 1:].masked_fill(mask[:, 1:] == 0, -100)
    return cross_entropy(logits.transpose(1, 2), wanted)


def match_loss(logits: torch.Tensor, fits: torch.Tensor) -> torch.Tensor:
    """Cross-entropy with graded targets: `fits` (n,) is the share of 'match'."""
    return cross_entropy(logits, torch.stack([1 - fits, fits], dim=1))


def contrast_loss(
    model: Blip2ForImageTextRetrieval,
    states: torch.Tensor,
    tokens: torch.Tensor,
    mask: torch.Tensor,
    texts: Sequence[str],
    temperature: torch.Tensor,
) -> torch.Tensor:
    """Symmetric contrast within the batch, the best query per text; equal texts share the target."""
    image = normalize(model.vision_projection(query_states(model, states)), dim=-1)
    text = text_features(model, tokens, mask)
    scores = torch.einsum("nqd,md->nmq", image, text).amax(dim=2) / temperature
    numbers = {one: i for i, one in enumerate(texts)}
    same = torch.tensor([numbers[one] for one in texts])
    target = (same[:, None] == same[None, :]).float()
    target = target / target.sum(dim=1, keepdim=True)
    return (cross_entropy(scores, target) + cross_entropy(scores.T, target)) / 2


@dataclass(frozen=True)
class Plan:
    """How long and how fast to learn; the defaults made the shipped weights.

    `matched` is the number of a batch's pictures that matching and contrast learn from, `stops` are folders of
    captioners with the steps after which they are kept.
    """

    seed: int = 20190101
    pictures: int = 24_000
    size: int = 48
    patch: int = 8
    layers: int = 4
    steps: int = 2000
    batch: int = 64
    matched: int = 32
    rate: float = 2e-3
    shift: int = 1
    stops: tuple[tuple[str, int], ...] = (("caption50", 600), ("caption75", 800), ("caption", 2000))


def to_input(rng: np.random.Generator, chosen: np.ndarray, shift: int) -> torch.Tensor:
    """Pictures (n, side, side, 3) uint8 -> (n, 3, side, side) float, moved by a few pixels at random, not mirrored:
    that would exchange left and right."""
    chosen = np.roll(chosen, rng.integers(-shift, shift + 1, 2), axis=(1, 2))
    values = torch.from_numpy(np.ascontiguousarray(chosen)).permute(0, 3, 1, 2).float() / 255
    return (values - blip2.MEAN) / blip2.DEVIATION


def optimiser(weights: list[nn.Parameter], plan: Plan) -> tuple[torch.optim.AdamW, torch.optim.lr_scheduler.OneCycleLR]:
    """AdamW with a one-cycle learning rate schedule."""
    adam = torch.optim.AdamW(weights, lr=plan.rate, weight_decay=0.02, betas=(0.9, 0.98))
    return adam, torch.optim.lr_scheduler.OneCycleLR(adam, plan.rate, total_steps=plan.steps, pct_start=0.1)


def step_down(loss: torch.Tensor, adam: torch.optim.AdamW, schedule: torch.optim.lr_scheduler.LRScheduler) -> None:
    """One step of the optimiser, with gradients clipped to norm 1."""
    adam.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_([weight for group in adam.param_groups for weight in group["params"]], 1.0)
    adam.step()
    schedule.step()


def matching_losses(
    matcher: Blip2ForImageTextRetrieval,
    tokenizer: Any,
    states: torch.Tensor,
    texts: list[list[str]],
    fits: torch.Tensor,
    full: list[str],
    temperature: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Matching loss over all groups of n texts, `fits` (groups, n), and contrast with n full captions."""
    options = {"padding": True, "truncation": True, "max_length": 32, "return_tensors": "pt"}
    every = tokenizer([text for group in texts for text in group], **options)
    logits = match_logits(matcher, states.repeat(len(texts), 1, 1), every["input_ids"], every["attention_mask"])
    true = tokenizer(full, **options)
    limited = temperature.exp().clamp(0.02, 1)
    contrast = contrast_loss(matcher, states, true["input_ids"], true["attention_mask"], full, limited)
    return match_loss(logits, fits.flatten()), contrast


def train(plan: Plan, workers: int, keep: Callable[[str, nn.Module], None]) -> Blip2ForImageTextRetrieval:
    """Train captioner and matcher together; `keep` gets the captioner after each of the plan's stops.

    Returns:
        The matcher, in evaluation mode.
    """
    torch.manual_seed(derive(plan.seed, "captioner", "weights"))
    specs, images = pictures(plan.seed, plan.pictures, plan.size, workers)
    captioner, matcher = blip2.new_models(plan.size, plan.patch, plan.layers)
    heads = PropertyHeads(captioner.config.vision_config.hidden_size)
    numbers, temperature = labels(specs), nn.Parameter(torch.tensor(0.1).log())
    trained = {id(weight): weight for model in (captioner, matcher, heads) for weight in model.parameters()}
    adam, schedule = optimiser([*trained.values(), temperature], plan)
    speak, compare = blip2.tokenizer(end=False), blip2.tokenizer(end=True)
    for step in range(1, plan.steps + 1):
        rng = np.random.default_rng(derive(plan.seed, "captioner", "step", step - 1))
        rows = rng.choice(len(images), plan.batch, replace=False)
        states = captioner.vision_model(to_input(rng, images[rows], plan.shift)).last_hidden_state
        texts, fits = training_texts(rng, [specs[row] for row in rows])
        few = slice(plan.matched)
        some = [group[few] for group in texts]
        full = full_captions(rng, [specs[row] for row in rows[few]])
        match, contrast = matching_losses(
            matcher, compare, states[few], some, torch.from_numpy(fits[:, few]), full, temperature
        )
        losses = {
            "properties": heads.loss(states, torch.from_numpy(numbers[rows])),
            "caption": caption_loss(captioner, states, speak, texts[0]),
            "match": match,
            "contrast": contrast,
        }
        step_down(torch.stack(list(losses.values())).sum(), adam, schedule)
        if step % 100 == 0:
            told = ", ".join(f"{name} {loss.item():.3f}" for name, loss in losses.items())
            log.info("step %d of %d: %s", step, plan.steps, told)
        for name, stop in plan.stops:
            if step == stop:
                keep(name, captioner)
    return matcher.eval()


def main(argv: list[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for the folders of the models")
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    torch.set_num_threads(1)
    start, cpu = time.time(), time.process_time()
    plan = Plan()
    matcher = train(plan, os.cpu_count() or 1, lambda name, model: blip2.save(args.out / name, model))
    blip2.save(args.out / "match", matcher)
    log.info("trained in %.0f s (%.0f s of CPU)", time.time() - start, time.process_time() - cpu)
    figures = {name: named_right(args.out / name, args.out / "match", 1000) for name, _ in plan.stops}
    figures["match"] = preferred(args.out / "match", 1000)
    for name, values in figures.items():
        log.info("%s: %s", name, {figure: round(value, 4) for figure, value in values.items()})


if __name__ == "__main__":
    main()
