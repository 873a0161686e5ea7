"""Captions do not depend on the batch, and sampling draws from the nucleus distribution."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.captions.small_captioners import captions_of
from workflow_scripts.captions.recaptioning.decoding import Decoding
from workflow_scripts.captions.recaptioning.generate import SeededDraw, load_captioner
from workflow_scripts.models.checkpoints import Checkpoint

GREEDY = Decoding(max_new_tokens=8)
SAMPLED = Decoding(prompt="a photo of", max_new_tokens=6, num_captions=3)


@pytest.fixture(scope="module")
def captioner(checkpoints: dict[str, Path]) -> Checkpoint:
    return load_captioner(checkpoints["captioner"], "cpu")


@pytest.mark.parametrize("decoding", [GREEDY, SAMPLED])
def test_captions_do_not_depend_on_the_batch(
    captioner: Checkpoint, pictures: list[Image.Image], decoding: Decoding
) -> None:
    keys = [f"k{i}" for i in range(len(pictures))]
    together = captions_of(captioner, pictures, keys, decoding)
    alone = [captions_of(captioner, [p], [k], decoding)[0] for p, k in zip(pictures, keys, strict=True)]
    assert together == alone
    assert all(len(captions) == decoding.num_captions for captions in together)
    assert len({caption for captions in together for caption in captions}) > 3


def test_greedy_decoding_equals_the_generate_method_of_the_model(
    captioner: Checkpoint, pictures: list[Image.Image]
) -> None:
    pixels = captioner.pixels(pictures)
    tokens = captioner.model.generate(pixels, max_new_tokens=8, do_sample=False, num_beams=1)
    own = [text.strip() for text in captioner.tokenizer.batch_decode(tokens, skip_special_tokens=True)]
    assert [captions[0] for captions in captions_of(captioner, pictures, own, GREEDY)] == own


def test_samples_follow_key_and_seed(captioner: Checkpoint, pictures: list[Image.Image]) -> None:
    twice = [pictures[0]] * 2
    one, other = captions_of(captioner, twice, ["a", "b"], SAMPLED)
    assert one != other
    changed = SAMPLED.model_copy(update={"seed": 1})
    assert captions_of(captioner, twice, ["a", "b"], changed)[0] != one


def test_prompt_is_not_part_of_the_caption(captioner: Checkpoint, pictures: list[Image.Image]) -> None:
    limited = Decoding(prompt="a photo of", max_new_tokens=1)
    for (caption,) in captions_of(captioner, pictures, ["k"] * len(pictures), limited):
        assert len(caption.split()) <= 1


def test_draws_have_the_nucleus_frequencies() -> None:
    probabilities = np.array([0.05, 0.5, 0.15, 0.3])
    scores = torch.tensor(np.log(probabilities), dtype=torch.float32).repeat(4000, 1)
    drawn = SeededDraw(range(4000), temperature=1.0, top_p=0.9)(torch.zeros((4000, 1), dtype=torch.long), scores)
    assert torch.isfinite(drawn).sum(dim=1).eq(1).all()
    counted = Counter(drawn.argmax(dim=1).tolist())
    # 0.9 keeps the tokens of probability 0.5, 0.3 and 0.15; the rest is never drawn.
    expected = np.array([0, 0.5, 0.15, 0.3]) / 0.95
    assert counted[0] == 0
    for token, share in enumerate(expected):
        assert abs(counted[token] / 4000 - share) < 0.03
