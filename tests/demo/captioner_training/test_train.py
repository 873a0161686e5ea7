"""The training script in small: the same seed gives the same weights, and the losses go down."""

import logging
import re
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy, log_softmax
from transformers import AutoProcessor, Blip2ForConditionalGeneration, Blip2ForImageTextRetrieval

import workflow_scripts.demo
from tests.demo.captioner_training.data import PROPERTIES, labels
from tests.demo.captioner_training.models import QUERIES, vocabulary
from tests.demo.captioner_training.score import unseen
from tests.demo.captioner_training.train import (
    Plan,
    PropertyHeads,
    caption_loss,
    contrast_loss,
    match_loss,
    to_input,
    train,
)
from tests.demo.captions import caption_of
from workflow_scripts.models.matcher import match_logits

FOLDER = Path(workflow_scripts.demo.__file__).parent / "captioner"
TINY = Plan(pictures=24, size=24, patch=6, layers=1, steps=20, batch=8, stops=(("early", 10), ("last", 20)))


@pytest.fixture(scope="module")
def shown():
    specs, images = unseen(6, 48)
    return specs, images, [caption_of(1, "shown", index).text for index in range(6)]


@pytest.fixture(scope="module")
def captioner():
    return Blip2ForConditionalGeneration.from_pretrained(FOLDER / "caption").eval()


@pytest.fixture(scope="module")
def matcher():
    return Blip2ForImageTextRetrieval.from_pretrained(FOLDER / "match").eval()


def states(model, pixels):
    return model.vision_model(pixels).last_hidden_state


@torch.inference_mode()
def test_caption_loss_is_that_of_the_model(captioner, shown):
    _, images, texts = shown
    processor = AutoProcessor.from_pretrained(FOLDER / "caption")
    tokenizer = processor.tokenizer
    inputs = processor(
        images=images, text=[f"{text}{tokenizer.eos_token}" for text in texts], padding=True, return_tensors="pt"
    )
    wanted = inputs["input_ids"].masked_fill(inputs["attention_mask"] == 0, -100)
    wanted[:, : QUERIES + 1] = -100  # image tokens and the start token are given, not told
    expected = captioner(**inputs, labels=wanted).loss
    found = caption_loss(captioner, states(captioner, inputs["pixel_values"]), tokenizer, texts)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


@torch.inference_mode()
def test_match_logits_and_contrast_are_those_of_the_model(matcher, shown):
    _, images, texts = shown
    processor = AutoProcessor.from_pretrained(FOLDER / "match")
    inputs = processor(images=images, text=texts, padding=True, return_tensors="pt")
    seen, tokens, mask = states(matcher, inputs["pixel_values"]), inputs["input_ids"], inputs["attention_mask"]
    expected = matcher(**inputs, use_image_text_matching_head=True).logits_per_image
    torch.testing.assert_close(match_logits(matcher, seen, tokens, mask), expected, rtol=1e-5, atol=1e-5)
    cosines = matcher(**inputs, use_image_text_matching_head=False).logits_per_image / 0.1
    rows = torch.arange(len(texts))
    expected = (cross_entropy(cosines, rows) + cross_entropy(cosines.T, rows)) / 2
    found = contrast_loss(matcher, seen, tokens, mask, texts, torch.tensor(0.1))
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


@torch.inference_mode()
def test_equal_texts_share_the_contrastive_target(matcher, shown):
    _, images, texts = shown
    processor = AutoProcessor.from_pretrained(FOLDER / "match")
    twice = [*texts[:3], *texts[:3]]
    inputs = processor(images=images, text=twice, padding=True, return_tensors="pt")
    seen, tokens, mask = states(matcher, inputs["pixel_values"]), inputs["input_ids"], inputs["attention_mask"]
    scores = matcher(**inputs).logits_per_image.double().numpy()
    logs = scores - np.log(np.exp(scores).sum(1, keepdims=True)), scores - np.log(np.exp(scores).sum(0, keepdims=True))
    pairs = [(i, j) for i in range(6) for j in range(6) if i % 3 == j % 3]
    expected = -np.mean([sum(log[i, j] for i, j in pairs) / 2 / 6 for log in logs])
    assert contrast_loss(matcher, seen, tokens, mask, twice, torch.tensor(1.0)).item() == pytest.approx(
        expected, abs=1e-5
    )


def test_match_loss_with_graded_targets_is_binary_cross_entropy():
    logits, fits = torch.tensor([[0.3, 1.2], [2.0, -1.0]]), torch.tensor([0.98, 0.1])
    chance = torch.sigmoid(logits[:, 1] - logits[:, 0])
    expected = -(fits * chance.log() + (1 - fits) * (1 - chance).log()).mean()
    torch.testing.assert_close(match_loss(logits, fits), expected)


def test_property_loss_is_the_weighted_sum_over_properties(shown):
    torch.manual_seed(0)
    heads, numbers, seen = PropertyHeads(8), torch.from_numpy(labels(shown[0])), torch.randn(6, 5, 8)
    expected, start = 0.0, 0
    logits = heads.linear(torch.cat([seen[:, 0], seen[:, 1:].mean(1)], 1))
    for values, weight, column in zip(PROPERTIES.values(), heads.weights, numbers.T, strict=True):
        logs = log_softmax(logits[:, start : start + len(values)], 1)
        smooth = torch.full_like(logs, 0.05 / len(values)).scatter_add_(1, column[:, None], torch.full((6, 1), 0.95))
        expected, start = expected - weight * (smooth * logs).sum(1).mean(), start + len(values)
    torch.testing.assert_close(heads.loss(seen, numbers), expected)


def test_training_input_is_that_of_the_image_processor(shown):
    _, images, _ = shown
    processor = AutoProcessor.from_pretrained(FOLDER / "match")
    expected = processor.image_processor(images, return_tensors="pt")["pixel_values"]

    class Still:
        def integers(self, *_):
            return np.array([0, 0])

    found = to_input(Still(), np.stack([np.asarray(image) for image in images]), 3)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


def test_training_is_a_function_of_the_seed():
    torch.set_num_threads(1)
    runs = []
    for workers in (1, 2):
        kept = {}
        matcher = train(TINY, workers, lambda name, model, kept=kept: kept.update({name: deepcopy(model)}))
        runs.append([*kept.values(), matcher])
    assert list(kept) == ["early", "last"]
    for one, two in zip(*runs, strict=True):
        assert all(torch.equal(x, y) for x, y in zip(one.parameters(), two.parameters(), strict=True))
    early, last, matcher = runs[0]
    tower = list(last.vision_model.parameters())
    assert all(torch.equal(x, y) for x, y in zip(tower, matcher.vision_model.parameters(), strict=True))
    assert not torch.equal(next(early.vision_model.parameters()), tower[0]) and not matcher.training


def test_the_losses_fall_below_chance(caplog):
    """On 24 pictures; chance is log(number of values), weighted and summed, and log(vocabulary) per token."""
    plan = Plan(pictures=24, size=24, patch=12, layers=1, steps=200, batch=8, stops=())
    with caplog.at_level(logging.INFO):
        train(plan, 1, lambda *_: None)
    chance = sum(w * np.log(len(v)) for w, v in zip(PropertyHeads.weights, PROPERTIES.values(), strict=True))
    told = re.findall(r"step 200 of 200: properties ([\d.]+), caption ([\d.]+)", caplog.text)[0]
    properties, caption = map(float, told)
    assert properties < 0.8 * chance and caption < 0.5 * np.log(len(vocabulary()))
