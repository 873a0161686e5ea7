"""X-CLR (Sobal et al. 2024, "X-Sample Contrastive Loss", arXiv 2407.18134).

An overlay of the demo with this method::

    pretraining: {xclr: {projector: [256, 256, 64], match_perplexity: 20}}
    runs:
      - {method: xclr, pairs: original, encoder: minilm, augmentation: simclr}
      - {method: xclr, pairs: revised, encoder: minilm, augmentation: simclr}
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

from pydantic import Field, PositiveFloat, model_validator

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.settings import quantity
from workflow_scripts.pretraining.method import TWO_VIEWS, Method, Objective
from workflow_scripts.pretraining.methods.simclr import SimclrHead, embed, heads

if TYPE_CHECKING:
    import numpy as np

    from workflow_scripts.pretraining.method import Batch, Network, Tensor

TARGET_TEMPERATURE = 0.1


class XclrHead(SimclrHead):
    """X-CLR: SimCLR's projector, and the temperatures of similarities and targets."""

    target_temperature: PositiveFloat = Field(TARGET_TEMPERATURE, examples=[0.2])
    """Temperature of the softmax over cosines of captions that gives the targets."""
    match_perplexity: float | None = quantity(None, unit="views", gt=1, examples=[20])
    """Perplexity of the targets (exp of their entropy, mean over images of a sample of batches) to which
    target_temperature is fitted; null: target_temperature is used as set."""

    @model_validator(mode="after")
    def _one_temperature(self) -> Self:
        if self.match_perplexity is not None and self.target_temperature != TARGET_TEMPERATURE:
            values = f"target_temperature {self.target_temperature:g} and match_perplexity {self.match_perplexity:g}"
            raise ValueError(f"{values} are both given; remove one")
        return self


def loss(network: "Network", settings: XclrHead, batch: "Batch", rows: "Sequence[Tensor]") -> "Tensor":
    """Similarities of views are fitted to those of their images' captions."""
    from workflow_scripts.pretraining.losses.soft_targets import soft_target_loss

    first, second = rows
    assert batch.vectors is not None
    return soft_target_loss(first, second, batch.vectors, settings.temperature, settings.target_temperature)


def calibrate(settings: XclrHead, sample: "Sequence[np.ndarray]") -> tuple[XclrHead, dict[str, float]]:
    """The temperature of the targets, and how many views they are spread over, from vectors (b, t) of batches.

    Raises:
        PipelineError: no temperature gives the requested perplexity.
    """
    from workflow_scripts.pretraining.losses.soft_targets import perplexity, temperature_of

    temperature = settings.target_temperature
    if settings.match_perplexity is not None:
        try:
            temperature = temperature_of(sample, settings.match_perplexity)
        except ValueError as error:
            where, advice = "pretraining.xclr.match_perplexity", "choose a number in between, or set target_temperature"
            raise PipelineError("perplexity out of reach", where, error, advice) from None
    facts = {"target_temperature": temperature, "target_perplexity": perplexity(sample, temperature)}
    return settings.model_copy(update={"target_temperature": temperature, "match_perplexity": None}), facts


METHOD = Method(
    name="xclr",
    summary="SimCLR with soft targets from the similarity of the images' captions (Sobal et al. 2024)",
    objective=Objective(settings=XclrHead, heads=heads, embed=embed, loss=loss, calibrate=calibrate),
    pairs=("caption",),
    views=TWO_VIEWS,
    learns=("vectors",),
    passes=2,
)
