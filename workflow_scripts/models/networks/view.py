"""How a network sees an image: the one transform of probe, few-shot, kNN and saliency.

The shorter side is resized, then the centre is cut out: torchvision's ``Resize`` and ``CenterCrop`` on uint8 tensors.
"""

import math
from typing import Literal

from pydantic import Field

from workflow_scripts.core.settings import Settings, quantity

Resize = Literal["bilinear", "bicubic"]


class Scaling(Settings):
    """How images are brought to the size that a network takes."""

    resize: Resize = Field("bilinear", examples=["bicubic"])
    """How images are resized, with antialiasing; networks from elsewhere have their own setting."""
    crop: float = quantity(1.0, unit="share of the side", ge=0.1, le=1, examples=[0.875])
    """Share of the resized shorter side that the centre crop keeps; 0.875: 224 pixels of 256."""


class View(Settings):
    """What a network sees of an image; the settings of the images that are prepared for it."""

    size: int = quantity(unit="px", ge=1)
    """Side of the centre crop."""
    side: int = quantity(unit="px", ge=1)
    """Shorter side after resizing."""
    resize: Resize
    """How images are resized, with antialiasing."""

    @property
    def name(self) -> str:
        """In file names: ``224-bilinear``, or ``224of256-bicubic`` where the crop leaves something out."""
        return f"{self.size}{'' if self.side == self.size else f'of{self.side}'}-{self.resize}"


def view_of(size: int, resize: Resize, crop: float) -> View:
    """The view of a network of ``size`` pixels."""
    # Rounded down, as timm does; without the summand, 224 / (224 / 232) would be 231.
    return View(size=size, side=math.floor(size / crop + 1e-6), resize=resize)
