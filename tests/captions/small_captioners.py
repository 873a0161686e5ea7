"""Small captioners of several families, of the real classes with random weights, as save_pretrained writes them."""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from PIL import Image
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    Blip2Config,
    Blip2ForConditionalGeneration,
    Blip2Processor,
    BlipConfig,
    BlipForConditionalGeneration,
    BlipImageProcessor,
    BlipProcessor,
    CLIPImageProcessor,
    CLIPVisionConfig,
    GitConfig,
    GitForCausalLM,
    GitProcessor,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
    T5Config,
)

from tests.captions.small_blip2 import SPECIAL, TEXT, configuration, save_checkpoints, tokenizer
from workflow_scripts.captions.recaptioning.decoding import Decoding
from workflow_scripts.captions.recaptioning.generate import generate_captions, model_inputs
from workflow_scripts.models.checkpoints import Checkpoint

SPREAD = 0.3
LAYERS = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
VISION = {**LAYERS, "image_size": 32, "patch_size": 8, "initializer_range": SPREAD}
TEMPLATE = (
    "{% for message in messages %}user {% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image> {% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endfor %}"
    "{% if add_generation_prompt %} assistant{% endif %}"
)


def blip(folder: Path) -> None:
    """BLIP: a vision tower and a BERT that reads it."""
    words = tokenizer()
    text = {
        **LAYERS, "vocab_size": len(words), "initializer_range": SPREAD, "max_position_embeddings": 64,
        "encoder_hidden_size": 32, "bos_token_id": 1, "eos_token_id": 2, "sep_token_id": 2, "pad_token_id": 0,
    }  # fmt: skip
    config = BlipConfig(text_config=text, vision_config=VISION, projection_dim=16, initializer_range=SPREAD)
    BlipForConditionalGeneration(config).save_pretrained(folder)
    BlipProcessor(BlipImageProcessor(size={"height": 32, "width": 32}), words).save_pretrained(folder)


def blip2(folder: Path) -> None:
    """BLIP-2 with an OPT."""
    save_checkpoints(folder.parent / "both")["captioner"].rename(folder)


def blip2_t5(folder: Path) -> None:
    """BLIP-2 with a T5, whose encoder reads image and prompt, and whose tokenizer adds the end token alone."""
    words = tokenizer()
    words.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="$A [SEP]", special_tokens=[("[SEP]", 2)]
    )
    processor = Blip2Processor(BlipImageProcessor(size={"height": 32, "width": 32}), words, num_query_tokens=4)
    config = configuration(len(words), SPREAD)
    text = T5Config(
        vocab_size=len(words), d_model=32, d_kv=16, d_ff=64, num_layers=2, num_heads=2, decoder_start_token_id=0,
        pad_token_id=0, eos_token_id=2,
    )  # fmt: skip
    model = Blip2ForConditionalGeneration(
        Blip2Config(
            vision_config=config.vision_config.to_dict(),
            qformer_config=config.qformer_config.to_dict(),
            text_config=text.to_dict(),
            num_query_tokens=4,
            image_token_index=len(words) - 1,
        )
    )
    torch.nn.init.normal_(model.query_tokens)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)


def git(folder: Path) -> None:
    """GIT: one transformer over image and text."""
    words = tokenizer()
    config = GitConfig(
        **LAYERS, vision_config=VISION, vocab_size=len(words), max_position_embeddings=64, bos_token_id=1,
        eos_token_id=2, pad_token_id=0, initializer_range=SPREAD,
    )  # fmt: skip
    GitForCausalLM(config).save_pretrained(folder)
    GitProcessor(_clip_images(), words).save_pretrained(folder)


def llava(folder: Path) -> None:
    """LLaVA: a CLIP tower and a Llama, with a chat template."""
    words = _chat_tokenizer()
    mark = words.convert_tokens_to_ids("<image>")
    text = LlamaConfig(
        **LAYERS, vocab_size=len(words), initializer_range=SPREAD, max_position_embeddings=128, bos_token_id=1,
        eos_token_id=2, pad_token_id=0,
    )  # fmt: skip
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(**VISION), text_config=text, image_token_index=mark, vision_feature_layer=-2
    )
    LlavaForConditionalGeneration(config).save_pretrained(folder)
    LlavaProcessor(
        _clip_images(),
        words,
        patch_size=8,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=TEMPLATE,
    ).save_pretrained(folder)


def _clip_images() -> CLIPImageProcessor:
    return CLIPImageProcessor(size={"height": 32, "width": 32}, crop_size={"height": 32, "width": 32})


def _chat_tokenizer() -> PreTrainedTokenizerFast:
    """Word-level tokenizer with the start token in front alone, as Llama's."""
    words = {word: i for i, word in enumerate([*SPECIAL, *TEXT.split(), "user", "assistant", "<image>"])}
    core = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    core.post_processor = processors.TemplateProcessing(single="[CLS] $A", special_tokens=[("[CLS]", 1)])
    core.add_special_tokens(["<image>"])
    names = {"pad_token": "[PAD]", "bos_token": "[CLS]", "eos_token": "[SEP]", "unk_token": "[UNK]"}
    return PreTrainedTokenizerFast(tokenizer_object=core, extra_special_tokens={"image_token": "<image>"}, **names)


FAMILIES: dict[str, Callable[[Path], None]] = {
    "blip": blip,
    "blip-2": blip2,
    "blip-2-t5": blip2_t5,
    "git": git,
    "llava": llava,
}


def save_captioner(family: str, folder: Path) -> Path:
    """The folder of a small captioner."""
    torch.manual_seed(3)
    FAMILIES[family](folder / family)
    return folder / family


def captions_of(
    captioner: Checkpoint, images: Sequence[Image.Image], keys: Sequence[str], decoding: Decoding
) -> list[list[str]]:
    """Captions of a batch of images."""
    return generate_captions(captioner, model_inputs(captioner, images, decoding.prompt), keys, decoding)
