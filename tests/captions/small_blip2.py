"""Small BLIP-2 checkpoints of the real classes with random weights, and images for them."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    Blip2Config,
    Blip2ForConditionalGeneration,
    Blip2ForImageTextRetrieval,
    Blip2Processor,
    BlipImageProcessor,
    PreTrainedTokenizerFast,
)

TEXT = "a the red blue cat dog on grass house tree with small big photo of my one sky"
SPECIAL = ["[PAD]", "[CLS]", "[SEP]", "[UNK]"]


def tokenizer(size: int = 0) -> PreTrainedTokenizerFast:
    """Word-level tokenizer, [CLS] words [SEP], with made-up words up to a vocabulary of ``size``."""
    known = SPECIAL + TEXT.split()
    words = {word: i for i, word in enumerate(known + [f"word{i}" for i in range(len(known), size)])}
    core = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    core.pre_tokenizer = pre_tokenizers.Whitespace()
    core.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    names = {"pad_token": "[PAD]", "bos_token": "[CLS]", "eos_token": "[SEP]", "unk_token": "[UNK]"}
    return PreTrainedTokenizerFast(tokenizer_object=core, cls_token="[CLS]", sep_token="[SEP]", **names)


def configuration(vocabulary: int, spread: float) -> Blip2Config:
    """A BLIP-2 of 32 px images, 4 queries and a two-layer OPT; ``spread``: deviation of its weights."""
    small = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    return Blip2Config(
        vision_config={**small, "image_size": 32, "patch_size": 8, "initializer_range": spread},
        qformer_config={
            **small, "vocab_size": vocabulary, "initializer_range": spread, "max_position_embeddings": 64,
            "use_qformer_text_input": True,
        },
        text_config={
            "model_type": "opt", "hidden_size": 32, "word_embed_proj_dim": 32, "ffn_dim": 64, "num_hidden_layers": 2,
            "num_attention_heads": 2, "vocab_size": vocabulary, "max_position_embeddings": 64, "pad_token_id": 0,
            "bos_token_id": 1, "eos_token_id": 2, "init_std": spread,
        },
        num_query_tokens=4,
        image_text_hidden_size=16,
        image_token_index=vocabulary - 1,
    )  # fmt: skip


def save_checkpoints(folder: Path, spread: float = 0.3) -> dict[str, Path]:
    """Folders ``captioner`` and ``matcher``, as save_pretrained writes them."""
    image_processor = BlipImageProcessor(size={"height": 32, "width": 32})
    processor = Blip2Processor(image_processor, tokenizer(), num_query_tokens=4)
    config = configuration(len(processor.tokenizer), spread)
    found = {}
    for name, kind in (("captioner", Blip2ForConditionalGeneration), ("matcher", Blip2ForImageTextRetrieval)):
        torch.manual_seed(3)
        model = kind(config)
        # Zero query tokens, as the class starts with, would make all queries equal and hide mistakes.
        torch.nn.init.normal_(model.query_tokens)
        model.save_pretrained(folder / name)
        processor.save_pretrained(folder / name)
        found[name] = folder / name
    return found


def draw_pictures() -> list[Image.Image]:
    """Nine RGB images of several sizes: a coloured disc on noise."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(9):
        height, width = int(rng.integers(20, 70)), int(rng.integers(20, 70))
        pixels = rng.integers(0, 90, (height, width, 3))
        rows, columns = np.ogrid[:height, :width]
        disc = (rows - height / 2) ** 2 + (columns - width / 2) ** 2 < (min(height, width) / 3) ** 2
        pixels[disc] = rng.integers(0, 255, 3)
        found.append(Image.fromarray(pixels.astype(np.uint8)))
    return found
