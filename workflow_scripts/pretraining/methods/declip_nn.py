"""CLIP with nearest neighbours of captions, a part of DeCLIP (Li et al. 2022, "Supervision Exists Everywhere: A
Data Efficient Contrastive Language-Image Pre-training Paradigm").

An overlay of the demo with this method::

    tokenizer: {vocabulary: 512, context: 24}
    pretraining:
      declip_nn: {embedding: 64, text_width: 64, text_layers: 2, text_heads: 2, queue: 1024}
    runs:
      - {method: declip_nn, pairs: revised, augmentation: crop}
    contrasts: []
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field, PositiveInt

from workflow_scripts.core.settings import quantity
from workflow_scripts.pretraining.method import Method, Objective, Sizes, View
from workflow_scripts.pretraining.methods import clip
from workflow_scripts.pretraining.methods.clip import ClipHead

if TYPE_CHECKING:
    from workflow_scripts.pretraining.method import Batch, Network, Tensor, nn


class DeclipNnHead(ClipHead):
    """DeCLIP-NN: the settings of CLIP, and the queue in which nearest neighbours are found."""

    queue: PositiveInt = quantity(16_384, unit="captions", examples=[4096])
    """Captions of earlier batches among which the nearest neighbours are found."""
    neighbour_weight: float = Field(0.2, gt=0, lt=1, examples=[0.5])
    """Weight of the loss against the nearest neighbour; the rest is that against the caption itself."""


def heads(settings: DeclipNnHead, width: int, sizes: Sizes) -> "dict[str, nn.Module]":
    """The heads of CLIP, and the queue."""
    from workflow_scripts.pretraining.losses.queue import Queue

    return {**clip.heads(settings, width, sizes), "queue": Queue(settings.queue, settings.embedding)}


def loss(network: "Network", settings: DeclipNnHead, batch: "Batch", rows: "Sequence[Tensor]") -> "Tensor":
    """Each image is matched with its caption, and with the nearest earlier caption of that."""
    from workflow_scripts.pretraining.losses.gather import all_rows
    from workflow_scripts.pretraining.losses.queue import Queue

    queue, weight = network.heads["queue"], settings.neighbour_weight
    assert isinstance(queue, Queue)
    image, text = rows
    neighbour = queue.nearest(text)
    queue.add(all_rows(text.detach())[0])
    to_caption, to_neighbour = (clip.match(network, image, caption, batch.weights) for caption in (text, neighbour))
    return (1 - weight) * to_caption + weight * to_neighbour


METHOD = Method(
    name="declip_nn",
    summary="CLIP's loss against captions and against their nearest neighbours among earlier ones (Li et al. 2022)",
    objective=Objective(settings=DeclipNnHead, heads=heads, embed=clip.embed, loss=loss),
    pairs=("caption",),
    views=(View("source"),),
    learns=("tokens",),
    weights=True,
    passes=2,  # the text transformer is counted as a second forward pass
)
