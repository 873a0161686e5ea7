"""Judges whose score compares the vector of an image with the vector of a caption."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch.nn.functional import normalize
from transformers import AutoImageProcessor, AutoModel, AutoTokenizer

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.models.checkpoints import UNREADABLE, device_inputs, host_inputs, pretrained
from workflow_scripts.models.networks.split_linear import split_on_gpu


def dot(images: torch.Tensor, texts: torch.Tensor) -> torch.Tensor:
    """(n, d) and (n, d) -> (n,) products of vectors."""
    return (images * texts).sum(dim=1)


@dataclass(frozen=True)
class VectorScorer:
    """A judge of two encoders.

    Attributes:
        load: see :class:`workflow_scripts.models.judge.Scorer`.
        images: what was loaded of n images -> (n, d) float32.
        texts: n captions -> (n, d) float32.
        product: (vectors of n images, vectors of n captions) -> (n,) float32 scores.
    """

    load: Callable[[list[Any]], Any]
    images: Callable[[Any], torch.Tensor]
    texts: Callable[[Sequence[str]], torch.Tensor]
    product: Callable[[torch.Tensor, torch.Tensor], torch.Tensor] = dot

    @torch.inference_mode()
    def prepare(self, loaded: Any) -> tuple[torch.Tensor, ...]:
        """Vectors (n, d) of n images."""
        return (self.images(loaded),)

    @torch.inference_mode()
    def read(self, texts: Sequence[str]) -> torch.Tensor:
        """Vectors (n, d) of n captions."""
        return self.texts(texts)

    def scores(self, prepared: tuple[torch.Tensor, ...], read: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """(n,) float32 score of image i and caption i."""
        return (self.product(prepared[0], read),)


def two_towers(folder: Path, device: str, **padding: Any) -> VectorScorer:
    """The image and text towers of a contrastive model that transformers' AutoModel loads, in float32.

    On a GPU, linear layers are :class:`~workflow_scripts.models.networks.split_linear.SplitLinear`. Captions are
    truncated to the longest that the text tower has positions for.

    Args:
        folder: a folder as save_pretrained writes it.
        device: ``cpu`` or ``cuda``.
        padding: how the model's training padded captions, as arguments of the tokenizer.

    Raises:
        PipelineError: ``folder`` has no such model, or not all of its weights.
    """
    advice = "give the folder or the revision of a model with image and text tower and safetensors weights"
    what = "model with image and text tower"
    model, processor = pretrained(AutoModel, AutoImageProcessor, folder, torch.float32, what, advice)
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        longest = model.config.text_config.max_position_embeddings
        towers = model.get_image_features, model.get_text_features
    except (*UNREADABLE, AttributeError) as error:
        raise PipelineError(f"no {what}", folder, error, advice) from error
    split_on_gpu(model.to(device), device)

    def load(pictures: Sequence[Image.Image]) -> dict[str, torch.Tensor]:
        return host_inputs(processor(list(pictures), return_tensors="pt"), device)

    def images(loaded: dict[str, torch.Tensor]) -> torch.Tensor:
        return _unit(towers[0](**device_inputs(loaded, device)))

    def texts(captions: Sequence[str]) -> torch.Tensor:
        tokens = tokenizer(list(captions), truncation=True, max_length=longest, return_tensors="pt", **padding)
        return _unit(towers[1](**tokens.to(device, non_blocking=True)))

    return VectorScorer(load, images, texts)


def _unit(result: Any) -> torch.Tensor:
    pooled: torch.Tensor = result if isinstance(result, torch.Tensor) else result.pooler_output
    return normalize(pooled.float(), dim=-1)
