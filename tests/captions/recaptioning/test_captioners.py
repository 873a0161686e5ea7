"""Captioners of several families, each called as its own documentation does."""

from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from tests.captions.small_captioners import FAMILIES, captions_of, save_captioner
from workflow_scripts.captions.recaptioning import generate
from workflow_scripts.captions.recaptioning.decoding import Decoding
from workflow_scripts.captions.recaptioning.generate import load_captioner
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.models.checkpoints import Checkpoint

PROMPT = "a photo of"
ENDS = {
    "blip-2": 22,
    "blip-2-t5": 13,
    "git": 9,
    "llava": 4,
}  # tokens that these random models do choose, unlike their end token
DECODINGS = {
    "greedy": Decoding(prompt=PROMPT, max_new_tokens=8),
    "repetition": Decoding(prompt=PROMPT, max_new_tokens=8, repetition_penalty=1.7),
    "beams": Decoding(prompt=PROMPT, max_new_tokens=8, beams=3),
    "long beams": Decoding(prompt=PROMPT, max_new_tokens=8, beams=3, length_penalty=3.0, min_new_tokens=8),
    "short beams": Decoding(prompt=PROMPT, max_new_tokens=8, beams=3, num_captions=3, length_penalty=-3.0),
    "penalties": Decoding(prompt=PROMPT, max_new_tokens=8, beams=2, min_new_tokens=3, repetition_penalty=1.7),
}
SAMPLED = Decoding(prompt=PROMPT, max_new_tokens=8, num_captions=2, min_new_tokens=3, repetition_penalty=1.7)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {family: save_captioner(family, tmp_path_factory.mktemp("captioners")) for family in FAMILIES}


def documented(captioner: Checkpoint, images: list[Image.Image], prompt: str) -> tuple[dict[str, Any], int]:
    """Arguments of ``generate`` after the family's documentation, and how many tokens precede a caption."""
    processor, family = captioner.processor, captioner.model.config.model_type
    if family == "git":
        words = processor.tokenizer(prompt, add_special_tokens=False)["input_ids"]
        ids = torch.tensor([[processor.tokenizer.cls_token_id, *words]] * len(images))
        return {**processor(images=images, return_tensors="pt"), "input_ids": ids}, ids.shape[1]
    text = f"user <image> {prompt} assistant" if family == "llava" else prompt
    inputs = processor(images=images, text=[text] * len(images), return_tensors="pt")
    if captioner.model.config.is_encoder_decoder:
        return inputs, 1
    if family == "blip-2":  # its tokenizer here ends texts as BERT's does, OPT's does not
        inputs = {name: value if name == "pixel_values" else value[:, :-1] for name, value in inputs.items()}
    return inputs, inputs["input_ids"].shape[1] - (family == "blip")


@pytest.mark.parametrize("family", FAMILIES)
def test_equal_to_generate_called_directly(family: str, folders: dict[str, Path], pictures: list[Image.Image]) -> None:
    captioner = load_captioner(folders[family], "cpu")
    for model in captioner.model.modules():
        if family in ENDS and getattr(model, "generation_config", None) is not None:
            model.generation_config.eos_token_id = ENDS[family]
    keys, seen = [f"k{i}" for i in range(len(pictures))], set()
    for decoding in DECODINGS.values():
        inputs, before = documented(captioner, pictures, PROMPT)
        tokens = captioner.model.generate(
            **inputs,
            do_sample=False,
            num_beams=decoding.beams,
            num_return_sequences=decoding.num_captions,
            max_new_tokens=8,
            min_new_tokens=decoding.min_new_tokens,
            length_penalty=decoding.length_penalty,
            repetition_penalty=decoding.repetition_penalty,
        )
        texts = captioner.processor.batch_decode(tokens[:, before:], skip_special_tokens=True)
        found = captions_of(captioner, pictures, keys, decoding)
        assert [caption for captions in found for caption in captions] == [text.strip() for text in texts]
        seen.add(str(found))
    assert len(seen) >= 5, "settings without effect are not tested"


@pytest.mark.parametrize("family", FAMILIES)
def test_captions_do_not_depend_on_the_batch(
    family: str, folders: dict[str, Path], pictures: list[Image.Image]
) -> None:
    captioner = load_captioner(folders[family], "cpu")
    pictures, keys = pictures[:5], [f"k{i}" for i in range(5)]
    for decoding in (DECODINGS["short beams"], SAMPLED, Decoding(max_new_tokens=8)):
        together = captions_of(captioner, pictures, keys, decoding)
        alone = [captions_of(captioner, [p], [k], decoding)[0] for p, k in zip(pictures, keys, strict=True)]
        assert together == alone
        assert {len(captions) for captions in together} == {decoding.num_captions}


def test_a_static_cache_changes_no_caption(
    folders: dict[str, Path], pictures: list[Image.Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    keys, able = [f"k{i}" for i in range(4)], set()
    for family in FAMILIES:
        captioner = load_captioner(folders[family], "cpu")
        for decoding in (DECODINGS["greedy"], DECODINGS["short beams"], SAMPLED):
            expected = captions_of(captioner, pictures[:4], keys, decoding)
            with monkeypatch.context() as patch:
                patch.setattr(generate, "STATIC_CACHE_ON", ("cpu",))
                assert captions_of(captioner, pictures[:4], keys, decoding) == expected
            if generate._cache(captioner):
                able.add(family)
    assert able >= {"blip-2", "llava"}


@pytest.mark.parametrize("family", FAMILIES)
def test_generation_defaults_of_the_model_are_ignored(
    family: str, folders: dict[str, Path], pictures: list[Image.Image]
) -> None:
    captioner = load_captioner(folders[family], "cpu")
    keys, greedy = ["k"] * len(pictures), DECODINGS["greedy"]
    expected = captions_of(captioner, pictures, keys, greedy)
    for model in captioner.model.modules():
        if getattr(model, "generation_config", None) is not None:
            model.generation_config.update(num_beams=4, do_sample=True, temperature=9.0, repetition_penalty=3.0)
    assert captions_of(captioner, pictures, keys, greedy) == expected


def test_a_prompt_may_be_a_question_or_a_complete_template(
    folders: dict[str, Path], pictures: list[Image.Image]
) -> None:
    captioner = load_captioner(folders["llava"], "cpu")
    keys = ["k"] * len(pictures)
    asked = captions_of(captioner, pictures, keys, DECODINGS["greedy"])
    captioner.processor.chat_template = None
    whole = DECODINGS["greedy"].model_copy(update={"prompt": f"user <image> {PROMPT} assistant"})
    assert captions_of(captioner, pictures, keys, whole) == asked
    with pytest.raises(
        PipelineError,
        match=r"unsuitable prompt in recaption.prompt: 'a photo of', .*; correct the prompt; write <image> where",
    ):
        captions_of(captioner, pictures, keys, DECODINGS["greedy"])


@pytest.mark.parametrize("family", FAMILIES)
def test_pickled_weights_are_refused(family: str, folders: dict[str, Path], tmp_path: Path) -> None:
    for file in folders[family].glob("*.json"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    captioner = load_captioner(folders[family], "cpu")
    torch.save(captioner.model.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(PipelineError, match="no AutoModelForImageTextToText checkpoint"):
        load_captioner(tmp_path, "cpu")


def test_an_image_classifier_is_refused_as_captioner(folders: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "resnet"}')
    with pytest.raises(PipelineError, match="no AutoModelForImageTextToText checkpoint"):
        load_captioner(tmp_path, "cpu")
