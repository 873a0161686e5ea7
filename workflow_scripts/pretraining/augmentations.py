"""Augmentations of views, one row each."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from workflow_scripts.core.registry import by_name


def _odd(side: int) -> int:
    if side % 2 == 0:
        raise ValueError(f"{side} is even; a kernel has a central pixel")
    return side


Blur = Literal["sampled", "old_kornia"]
OddSide = Annotated[int, Field(ge=3), AfterValidator(_odd)]


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """The transformations of a view.

    Attributes:
        name: in configs and run names.
        summary: one sentence.
        area: range of the share of the image's area that a random crop keeps; None: centre crop, nothing random.
        colour: SimCLR's flip p 0.5, jitter 0.4/0.4/0.4/0.1 p 0.8, grey p 0.2 and Gaussian blur p 0.5.
        blur_kernel: side of the blur's kernel in pixels, odd; None: a tenth of the view's.
        blur: how the blur is made.
    """

    name: str
    summary: str
    area: tuple[float, float] | None
    colour: bool
    blur_kernel: int | None = None
    blur: Blur = "sampled"


AUGMENTATIONS = by_name(
    [
        # Chen et al. 2020, appendix A, with the strengths of the language-guided paper's code.
        Augmentation(
            name="simclr",
            summary="SimCLR's flips, colours and blur, with the strengths and crops of El Banani et al. (2023): 20 to "
            "100 % of the area, not 8 to 100 % as in Chen et al. (2020)",
            area=(0.2, 1.0),
            colour=True,
        ),
        # El Banani et al. 2023: language-guided pairs are cropped only.
        Augmentation(name="crop", summary="random crops only", area=(0.5, 1.0), colour=False),
        Augmentation(name="none", summary="centre crop", area=None, colour=False),
    ]
)
