"""CLIP with frozen sentence vectors for text (CLIP-SBERT of El Banani et al. 2023, "Language-Guided Sampling").

An overlay of the demo with this method::

    pretraining: {clip_sbert: {embedding: 64}}
    runs: # the vectors are those of the study's text encoder, or of the one named here
      - {method: clip_sbert, pairs: revised, encoder: minilm, augmentation: crop}
    contrasts: []
"""

from typing import TYPE_CHECKING

from pydantic import Field, PositiveInt

from workflow_scripts.core.settings import Settings
from workflow_scripts.pretraining.method import Method, Objective, Sizes, View
from workflow_scripts.pretraining.methods import clip

if TYPE_CHECKING:
    from workflow_scripts.pretraining.method import Batch, Network, Tensor, nn


class ClipSbertHead(Settings):
    """CLIP-SBERT: shared embedding, and the temperature."""

    embedding: PositiveInt = Field(512, examples=[256])
    """Width of the embedding that images and sentence vectors share."""
    temperature: float = clip.LEARNED_TEMPERATURE


def heads(settings: ClipSbertHead, width: int, sizes: Sizes) -> "dict[str, nn.Module]":
    """Linear projections of images and of sentence vectors, and the learned logit scale."""
    return {
        "project": clip.projection(width, settings.embedding),
        "text": clip.projection(sizes.vectors, settings.embedding),
        "scale": clip.logit_scale(settings.temperature),
    }


def embed(network: "Network", settings: ClipSbertHead, batch: "Batch") -> "tuple[Tensor, ...]":
    """The projections of one view and of the sentence vector of its caption."""
    return network.heads["project"](network.backbone(batch.views[0])), network.heads["text"](batch.vectors)


METHOD = Method(
    name="clip_sbert",
    summary="CLIP with frozen sentence vectors of the captions instead of a text transformer (El Banani et al. 2023)",
    objective=Objective(settings=ClipSbertHead, heads=heads, embed=embed, loss=clip.loss),
    pairs=("caption",),
    views=(View("source"),),
    learns=("vectors",),
    weights=True,
    passes=1,
)
