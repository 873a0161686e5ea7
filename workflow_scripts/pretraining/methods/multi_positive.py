"""Multi-positive contrast (Tian et al. 2023, "StableRep", arXiv 2306.00984).

An overlay of the demo with this method::

    pretraining: {multi_positive: {projector: [256, 256, 64]}}
    runs:
      - {method: multi_positive, pairs: revised, augmentation: crop}
    contrasts: []
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from workflow_scripts.pretraining.method import TWO_VIEWS, Method, Objective, SeveralPartners
from workflow_scripts.pretraining.methods.simclr import SimclrHead, embed, heads

if TYPE_CHECKING:
    from workflow_scripts.pretraining.method import Batch, Network, Tensor


class MultiPositiveHead(SimclrHead, SeveralPartners):
    """Multi-positive contrast: SimCLR's projector and temperature, and the number of partners."""


def loss(network: "Network", settings: MultiPositiveHead, batch: "Batch", rows: "Sequence[Tensor]") -> "Tensor":
    """The images of a pair and of all pairs whose source has the same caption are positives of each other."""
    from workflow_scripts.pretraining.losses.contrastive import multi_positive_loss

    assert batch.caption_ids is not None
    return multi_positive_loss(rows, batch.caption_ids, settings.temperature, batch.weights)


METHOD = Method(
    name="multi_positive",
    summary="SimCLR in which all images with the same caption are positives of each other (Tian et al. 2023)",
    objective=Objective(settings=MultiPositiveHead, heads=heads, embed=embed, loss=loss),
    pairs=("language",),
    views=TWO_VIEWS,
    learns=("caption_ids",),
    weights=True,
    passes=2,
)
