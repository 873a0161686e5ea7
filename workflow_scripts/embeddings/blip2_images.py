"""Vectors of images by the contrastive feature of a BLIP-2 matcher."""

from pathlib import Path

from workflow_scripts.embeddings.images import Encoder
from workflow_scripts.models.matcher import load_matcher


def blip2_encoder(folder: Path, device: str) -> Encoder:
    """Mean over the queries of BLIP-2's contrastive image feature.

    Raises:
        PipelineError: no BLIP-2 matcher in ``folder``.
    """
    matcher = load_matcher(folder, device, max_text_tokens=32)
    return Encoder(
        matcher.checkpoint.pixels, lambda pixels: matcher.image_vectors(matcher.states_of(pixels)).mean(dim=1), folder
    )
