"""Unit vectors of images: BLIP-2's contrastive feature, or any image model supported by transformers."""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoModel

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.runtime.meter import fed
from workflow_scripts.core.shards import TarImages
from workflow_scripts.embeddings.chunks import BATCHES, unit_rows, vector_chunks
from workflow_scripts.models.backbones import load_backbone
from workflow_scripts.models.checkpoints import pretrained
from workflow_scripts.models.matcher import load_matcher
from workflow_scripts.models.networks.view import View
from workflow_scripts.models.preprocessing import normalise, prepare


@dataclass(frozen=True)
class Encoder:
    """An image encoder in two steps.

    Attributes:
        encode: n prepared images -> (n, d) float32.
        prepare: an RGB image -> what ``encode`` takes; may run in several threads.
    """

    encode: Callable[[Sequence[Any]], torch.Tensor]
    prepare: Callable[[Image.Image], Any] = lambda image: image

    def __call__(self, images: Sequence[Image.Image]) -> torch.Tensor:
        """n RGB images -> (n, d) float32."""
        return self.encode([self.prepare(image) for image in images])


def blip2_encoder(folder: Path, device: str) -> Encoder:
    """Mean over the queries of BLIP-2's contrastive image feature.

    Raises:
        PipelineError: no BLIP-2 matcher in ``folder``.
    """
    matcher = load_matcher(folder, device, max_text_tokens=32)
    return Encoder(lambda images: matcher.image_vectors(matcher.image_states(images)).mean(dim=1))


def transformers_encoder(folder: Path, device: str) -> Encoder:
    """``get_image_features`` of a two-tower model such as CLIP, else the pooled output, in float32.

    Raises:
        PipelineError: ``folder`` has no image model, an incomplete one, or one without a pooled output.
    """
    advice = "give the folder or the revision of an image model with safetensors weights"
    # A checkpoint saved with another head lacks the pooler: its output would be random.
    model, processor = pretrained(AutoModel, AutoImageProcessor, folder, torch.float32, "image encoder", advice)
    model.to(device)

    @torch.inference_mode()
    def encode(images: Sequence[Image.Image]) -> torch.Tensor:
        pixels = processor(list(images), return_tensors="pt")["pixel_values"].to(device)
        towers = hasattr(model, "get_image_features")
        result = model.get_image_features(pixel_values=pixels) if towers else model(pixel_values=pixels)
        pooled = result if isinstance(result, torch.Tensor) else getattr(result, "pooler_output", None)
        if pooled is None:
            raise PipelineError("image encoder without pooled output", folder, type(model).__name__, advice)
        return pooled.float().flatten(start_dim=1)

    return Encoder(encode)


def embed(images: TarImages, encoder: Encoder, batch: int, work: Path, pool: Executor) -> np.ndarray:
    """(n, d) float32 unit rows of the images, which ``pool`` decodes; ``work`` holds the resume files."""

    def load(row: int) -> Any:
        return encoder.prepare(images.image(row))

    def compute(start: int, stop: int) -> np.ndarray:
        rows = (range(first, min(first + batch, stop)) for first in range(start, stop, batch))
        batches = fed(list(pool.map(load, some)) for some in rows)
        return unit_rows(np.concatenate([encoder.encode(prepared).cpu().numpy() for prepared in batches]))

    chunks = vector_chunks(len(images), BATCHES * batch, work, compute, "chunks of images embedded")
    found = [vectors for _, vectors in chunks]
    return np.concatenate(found) if found else np.zeros((0, 1), dtype=np.float32)


def run_encoder(weights: Path, about: Path, view: View, device: str) -> Encoder:
    """Features of a checkpoint's network, of images seen as in evaluations.

    Args:
        weights: of the checkpoint.
        about: ``run.json`` of its run.
        view: size, resize and crop.

    Raises:
        PipelineError: a file is damaged, the weights do not fit, or (on use) a feature is not finite.
    """
    network, _ = load_backbone(weights, about)
    network.to(device)

    @torch.inference_mode()
    def encode(pixels: Sequence[torch.Tensor]) -> torch.Tensor:
        features: torch.Tensor = network(normalise(torch.stack(list(pixels)).to(device))).float()
        if not features.isfinite().all():
            raise PipelineError("features not finite", weights, "an image", "the run diverged; use another checkpoint")
        return features

    return Encoder(encode, partial(prepare, size=view.size, mode=view.resize, shorter=view.side))
