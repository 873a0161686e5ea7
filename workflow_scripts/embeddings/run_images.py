"""Features of images by the network of a run."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import torch

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.embeddings.images import Encoder
from workflow_scripts.models.backbones import load_backbone
from workflow_scripts.models.networks.view import View
from workflow_scripts.models.preprocessing import normalise, prepare


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
