"""How evaluation sees an image: a setting of the stages that show images to a network."""

from typing import Literal

from pydantic import Field

from workflow_scripts.core.settings import Settings


class View(Settings):
    """How images are scaled to the size that a network was trained with."""

    resize: Literal["bilinear", "bicubic"] = Field(
        "bilinear",
        exclude_if="bilinear".__eq__,  # it came later: earlier artifacts keep their keys
        description="how images are scaled, with antialiasing; the same for features and saliency",
        examples=["bicubic"],
    )
