"""What is known about each picture of the demo: labels that downstream tasks predict and that pairs may share."""

from typing import Literal, get_args

Label = Literal["concept", "colour", "texture", "size", "scene"]
LABELS: tuple[Label, ...] = get_args(Label)
