"""Vectors of images by the network of a run."""

from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image

from workflow_scripts.embeddings.images import Encoder
from workflow_scripts.models.backbones import load_backbone
from workflow_scripts.models.networks.view import View
from workflow_scripts.models.preprocessing import normalise, pinned
from workflow_scripts.models.preprocessing import prepare as seen


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
