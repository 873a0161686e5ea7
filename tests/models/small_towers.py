"""Small contrastive models of the real classes with random weights, as save_pretrained writes them."""

from collections.abc import Mapping
from pathlib import Path

import torch
from transformers import (
    CLIPConfig,
    CLIPImageProcessor,
    CLIPModel,
    CLIPProcessor,
    SiglipConfig,
    SiglipImageProcessor,
    SiglipModel,
    SiglipProcessor,
    ViTConfig,
    ViTForImageClassification,
    ViTImageProcessor,
)

from tests.captions.small_blip2 import tokenizer

SMALL = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
VISION = {**SMALL, "image_size": 32, "patch_size": 8}


def _text(vocabulary: int) -> dict[str, int]:
    ids = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
    return {**SMALL, "vocab_size": vocabulary, "max_position_embeddings": 16, **ids}


def _spread(model: torch.nn.Module) -> None:
    """Weights large enough that scores of different captions and images differ."""
    torch.manual_seed(5)
    for weight in model.parameters():
        if weight.dim() > 1:
            torch.nn.init.normal_(weight, std=0.3)


def save_clip(folder: Path, vision: Mapping[str, int] = {}) -> tuple[CLIPModel, CLIPProcessor]:
    """A CLIP of 16 positions of text, and of 32 px images unless ``vision`` says otherwise."""
    vision = {**VISION, **vision}
    words = tokenizer()
    model = CLIPModel(CLIPConfig(text_config=_text(len(words)), vision_config=vision, projection_dim=8))
    _spread(model)
    side = vision["image_size"]
    images = CLIPImageProcessor(size={"shortest_edge": side}, crop_size={"height": side, "width": side})
    processor = CLIPProcessor(images, words)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return model.eval(), processor


def save_siglip(folder: Path) -> tuple[SiglipModel, SiglipProcessor]:
    """A SigLIP of 32 px images and 16 positions of text."""
    words = tokenizer()
    model = SiglipModel(SiglipConfig(text_config=_text(len(words)), vision_config=VISION))
    _spread(model)
    processor = SiglipProcessor(SiglipImageProcessor(size={"height": 32, "width": 32}), words)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return model.eval(), processor


def save_classifier(folder: Path) -> None:
    """A ViT of 32 px images and three classes."""
    names = dict(enumerate(["red cat", "small dog", "house"]))
    model = ViTForImageClassification(ViTConfig(**VISION, id2label=names, label2id={v: k for k, v in names.items()}))
    _spread(model)
    model.save_pretrained(folder)
    ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
