"""What a demo world varies: scenes, and colours of its objects."""

from typing import Literal, get_args

from pydantic import Field, model_validator

from workflow_scripts.core.settings import Settings

Label = Literal["concept", "colour", "texture", "size", "scene", "place"]
LABELS: tuple[Label, ...] = get_args(Label)
# The names of vocabulary.WORDINGS, spelled out for type checks and the schema of configs.
SceneName = Literal["grass", "sand", "snow", "sea", "night", "street"]
ColourName = Literal["red", "orange", "yellow", "green", "blue", "purple", "pink", "white"]


class World(Settings):
    """Scenes, and colours of objects. Many of them let a network tell images apart without looking at the object."""

    scenes: tuple[SceneName, ...] = Field(("grass", "sand"), min_length=2, examples=[["grass", "night"]])
    """Scenes that occur, evenly often and independently of everything else."""
    colours: tuple[ColourName, ...] = Field(
        ("red", "orange", "yellow"), min_length=2, examples=[["red", "green", "blue"]]
    )
    """Colours of objects that occur, evenly often and independently of everything else."""

    @model_validator(mode="after")
    def _distinct(self) -> "World":
        for key, values in (("scenes", self.scenes), ("colours", self.colours)):
            if len(set(values)) < len(values):
                raise ValueError(f"{key} names a value twice: {', '.join(values)}")
        return self


DEFAULT = World()
