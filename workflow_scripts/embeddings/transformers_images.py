"""Vectors of images by any image model that transformers supports."""

from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoModel

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.embeddings.images import Encoder
from workflow_scripts.models.checkpoints import pretrained
from workflow_scripts.models.networks.split_linear import split_on_gpu
from workflow_scripts.models.preprocessing import pinned


def transformers_encoder(folder: Path, device: str) -> Encoder:
    """``get_image_features`` of a two-tower model such as CLIP, else the pooled output, in float32.

    On a GPU, linear layers are :class:`~workflow_scripts.models.networks.split_linear.SplitLinear`.

    Raises:
        PipelineError: ``folder`` has no image model, an incomplete one, or one without a pooled output.
    """
    advice = "give the folder or the revision of an image model with safetensors weights"
    # A checkpoint saved with another head lacks the pooler: its output would be random.
    model, processor = pretrained(AutoModel, AutoImageProcessor, folder, torch.float32, "image encoder", advice)
    split_on_gpu(model.to(device), device)

    def prepare(images: Sequence[Image.Image]) -> torch.Tensor:
        return pinned(processor(list(images), return_tensors="pt")["pixel_values"], device)

    @torch.inference_mode()
    def encode(pixels: torch.Tensor) -> torch.Tensor:
        pixels = pixels.to(device, non_blocking=True)
        towers = hasattr(model, "get_image_features")
        result = model.get_image_features(pixel_values=pixels) if towers else model(pixel_values=pixels)
        pooled = result if isinstance(result, torch.Tensor) else getattr(result, "pooler_output", None)
        if pooled is None:
            raise PipelineError("image encoder without pooled output", folder, type(model).__name__, advice)
        return pooled.float().flatten(start_dim=1)

    return Encoder(prepare, encode, folder)
