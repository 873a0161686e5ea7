"""Unit vectors of images: BLIP-2's contrastive feature, or any image model supported by transformers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoModel

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.images.reading import prepared
from workflow_scripts.core.runtime.meter import fed
from workflow_scripts.core.shards import TarImages
from workflow_scripts.embeddings.chunks import BATCHES, unfinished, unit_rows, vector_chunks
from workflow_scripts.models.backbones import load_backbone
from workflow_scripts.models.checkpoints import pretrained
from workflow_scripts.models.matcher import load_matcher
from workflow_scripts.models.networks.split_linear import split_on_gpu
from workflow_scripts.models.networks.view import View
from workflow_scripts.models.preprocessing import normalise, pinned
from workflow_scripts.models.preprocessing import prepare as seen


@dataclass(frozen=True)
class Encoder:
    """An image encoder in two steps.

    Attributes:
        prepare: n RGB images -> (n, 3, height, width) on the CPU; may run in several threads.
        encode: what ``prepare`` gives -> (n, d) float32, on the device.
        source: its file or folder, for errors.
    """

    prepare: Callable[[Sequence[Image.Image]], torch.Tensor]
    encode: Callable[[torch.Tensor], torch.Tensor]
    source: Path | None = None

    def __call__(self, images: Sequence[Image.Image]) -> torch.Tensor:
        """n RGB images -> (n, d) float32."""
        return self.encode(self.prepare(images))


def blip2_encoder(folder: Path, device: str) -> Encoder:
    """Mean over the queries of BLIP-2's contrastive image feature.

    Raises:
        PipelineError: no BLIP-2 matcher in ``folder``.
    """
    matcher = load_matcher(folder, device, max_text_tokens=32)
    return Encoder(
        matcher.checkpoint.pixels, lambda pixels: matcher.image_vectors(matcher.states_of(pixels)).mean(dim=1), folder
    )


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


def embed(images: TarImages, encoder: Encoder, batch: int, work: Path, workers: int) -> np.ndarray:
    """(n, d) float32 unit rows of the images, which threads prepare; ``work`` holds the resume files."""
    left = unfinished(len(images), BATCHES * batch, work)
    cuts = [chunk[first : first + batch] for chunk in left for first in range(0, len(chunk), batch)]
    read = fed(prepared(images, cuts, encoder.prepare, workers))

    def compute(start: int, stop: int) -> np.ndarray:
        batches = islice(read, -(-(stop - start) // batch))
        # One copy from the device for all, since each would wait for it.
        return unit_rows(torch.cat([encoder.encode(pixels) for pixels in batches]).cpu().numpy())

    chunks = vector_chunks(len(images), BATCHES * batch, work, compute, "chunks of images embedded", encoder.source)
    found = [vectors for _, vectors in chunks]
    return np.concatenate(found) if found else np.zeros((0, 1), dtype=np.float32)


def run_encoder(weights: Path, about: Path, view: View, device: str) -> Encoder:
    """Features of a checkpoint's network, of images seen as in evaluations.

    Args:
        weights: of the checkpoint.
        about: ``run.json`` of its run.
        view: size, resize and crop.

    Raises:
        PipelineError: a file is damaged, or the weights do not fit.
    """
    network, _ = load_backbone(weights, about)
    network.to(device)

    def prepare(images: Sequence[Image.Image]) -> torch.Tensor:
        pixels = torch.stack([seen(image, view.size, view.resize, view.side) for image in images])
        return pinned(pixels, device)

    @torch.inference_mode()
    def encode(pixels: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = network(normalise(pixels.to(device, non_blocking=True))).float()
        return features

    return Encoder(prepare, encode, weights)


FROM_FOLDER = {"blip2": blip2_encoder, "transformers": transformers_encoder}
"""Loaders of the kinds whose model is in a folder."""
