"""Scores equal those of the model's public forward pass, one pair at a time."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.captions.small_blip2 import save_checkpoints
from tests.demo.captioner_training.data import pictures as pictures_of
from tests.demo.captioner_training.data import training_texts
from workflow_scripts.models.checkpoints import Checkpoint
from workflow_scripts.models.matcher import Matcher, itc, itc_table, load_matcher, load_matching_checkpoint
from workflow_scripts.models.networks.split_linear import SplitLinear

DEMO_MATCHER = Path("workflow_scripts/demo/captioner/match")
TEXTS = [
    "a red cat", "", "the blue dog on grass with small house", "photo of my big tree", "sky", "a cat",
    "dog " * 60, "one house", "grass grass",
]  # fmt: skip


@pytest.fixture(scope="module")
def matcher(checkpoints: dict[str, Path]) -> Matcher:
    return load_matcher(checkpoints["matcher"], "cpu", 32)


@pytest.fixture(scope="module")
def plain(checkpoints: dict[str, Path]) -> Checkpoint:
    """The same checkpoint, as transformers loads it."""
    return load_matching_checkpoint(checkpoints["matcher"], "cpu")


def reference(plain: Checkpoint, image: Image.Image, text: str, itm: bool) -> float:
    """Score of one pair by ``Blip2ForImageTextRetrieval.forward``."""
    model, tokenizer = plain.model, plain.tokenizer
    encoded = tokenizer([text], truncation=True, max_length=32, return_tensors="pt")
    queries = model.config.num_query_tokens
    # forward() expects one image token per query before the text and cuts them off again.
    ids = torch.cat([torch.full((1, queries), model.config.image_token_index), encoded["input_ids"]], dim=1)
    mask = torch.cat([torch.ones((1, queries), dtype=torch.long), encoded["attention_mask"]], dim=1)
    with torch.inference_mode():
        result = model(plain.pixels([image]), ids, mask, use_image_text_matching_head=itm).logits_per_image
    return float(result[0, 1] - result[0, 0]) if itm else float(result.squeeze())


def test_batched_scores_equal_single_forward_passes(
    matcher: Matcher, plain: Checkpoint, pictures: list[Image.Image]
) -> None:
    states = matcher.image_states(pictures)
    itm = matcher.itm(states, TEXTS).tolist()
    cosine = itc(matcher.image_vectors(states), matcher.text_vectors(TEXTS)).tolist()
    for i, (picture, text) in enumerate(zip(pictures, TEXTS, strict=True)):
        assert itm[i] == pytest.approx(reference(plain, picture, text, itm=True), abs=1e-4)
        assert cosine[i] == pytest.approx(reference(plain, picture, text, itm=False), abs=1e-4)
    assert max(itm) - min(itm) > 0.01
    assert max(cosine) - min(cosine) > 0.01


def test_table_holds_every_pair(matcher: Matcher, pictures: list[Image.Image]) -> None:
    vectors, texts = matcher.image_vectors(matcher.image_states(pictures)), matcher.text_vectors(TEXTS)
    table = itc_table(vectors, texts, rows=4)
    assert table.shape == (len(TEXTS), len(pictures))
    for shift in range(len(pictures)):
        rolled = itc(vectors.roll(shift, dims=0), texts)
        picked = torch.stack([table[i, (i - shift) % len(pictures)] for i in range(len(TEXTS))])
        assert torch.allclose(rolled, picked, atol=1e-6)


def test_tokens_are_counted_before_the_cut(matcher: Matcher) -> None:
    raw = Matcher(matcher.checkpoint, 32, "none")
    assert raw.token_counts(["a red cat", "", "dog " * 60]) == [5, 2, 62]
    assert matcher.token_counts(["A red cat!", "...", "dog " * 60]) == [5, 2, 52]  # at most 50 words


def prepared_by(matcher: Matcher, pictures: list[Image.Image]) -> tuple[torch.Tensor, ...]:
    return matcher.prepare(matcher.load(pictures))


def test_captions_are_normalised(matcher: Matcher, pictures: list[Image.Image]) -> None:
    prepared, titles = prepared_by(matcher, pictures[:2]), ["A Red CAT!!! (my)", "Dog: on *grass*..."]
    written = ["a red cat my", "dog on grass"]
    raw = Matcher(matcher.checkpoint, 32, "none")
    for given, expected, unchanged in zip(
        matcher.scores(prepared, matcher.read(titles)),
        raw.scores(prepared, raw.read(written)),
        raw.scores(prepared, raw.read(titles)),
        strict=True,
    ):
        assert torch.equal(given, expected)
        assert (given - unchanged).abs().min() > 1e-3


@pytest.fixture(scope="module")
def trained() -> tuple[Matcher, list[Image.Image], list[list[str]]]:
    """The demo's matcher, whose ITM spans ten units, with 170 pictures and three texts for each of them."""
    specs, pixels = pictures_of(seed=5, count=170, size=64, workers=1, split="precision")
    texts, _ = training_texts(np.random.default_rng(0), specs)
    return load_matcher(DEMO_MATCHER, "cpu", 32), [Image.fromarray(one) for one in pixels], texts


def test_scores_on_a_gpu_are_those_of_float32(
    trained: tuple[Matcher, list[Image.Image], list[list[str]]], on_gpu: None
) -> None:
    full, images, texts = trained
    ours = load_matcher(DEMO_MATCHER, "cpu", 32)
    weights = [one.weights for one in ours.checkpoint.model.vision_model.modules() if isinstance(one, SplitLinear)]
    assert len(weights) == 16 and {one.dtype for one in weights} == {torch.bfloat16}
    states, found_states = full.image_states(images), ours.image_states(images)
    vectors, found_vectors = full.image_vectors(states), ours.image_vectors(found_states)
    itms = torch.cat([full.itm(states, column) for column in texts])
    itcs = torch.cat([itc(vectors, full.text_vectors(column)) for column in texts])
    assert len(itms) == 510 and itms.max() - itms.min() > 9

    def shift(matcher: Matcher, states: torch.Tensor) -> float:
        return float((torch.cat([matcher.itm(states, column) for column in texts]) - itms).abs().max())

    found = torch.cat([itc(found_vectors, ours.text_vectors(column)) for column in texts])
    assert 0 < shift(ours, found_states) < 0.001 and 0 < (found - itcs).abs().max() < 1e-4
    assert shift(full, states.bfloat16().float()) > 0.001  # so small a loss is too large already


@pytest.mark.parametrize("spread", [0.02, 0.05])
def test_scores_of_new_weights_hardly_differ_on_a_gpu(
    spread: float, tmp_path: Path, pictures: list[Image.Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Weights spread as BERT's are at first (0.02) and after training (0.05)."""
    folder = save_checkpoints(tmp_path, spread)["matcher"]
    full = load_matcher(folder, "cpu", 32)
    monkeypatch.setattr("workflow_scripts.models.networks.split_linear.dtype_of", lambda device: torch.bfloat16)
    ours = load_matcher(folder, "cpu", 32)
    expected, found = (matcher.scores(prepared_by(matcher, pictures), matcher.read(TEXTS)) for matcher in (full, ours))
    for whole, parts in zip(expected, found, strict=True):
        assert parts.dtype == torch.float32
        assert 0 < (whole - parts).abs().max() < 1e-5
    assert torch.equal(full.text_vectors(TEXTS), ours.text_vectors(TEXTS))  # no image, so nothing is rounded


def test_words_beyond_the_length_limit_do_not_affect_scores(matcher: Matcher, pictures: list[Image.Image]) -> None:
    states = matcher.image_states(pictures[:2])
    long, longer = "dog " * 30, "dog " * 30 + "cat house"
    assert matcher.itm(states[:1], [long]).tolist() == matcher.itm(states[:1], [longer]).tolist()
