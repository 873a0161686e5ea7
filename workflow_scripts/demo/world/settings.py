"""What a demo world varies: scenes, colours, and the size and place of its objects; and the labels of its pictures."""

from typing import Annotated, Literal, get_args

from pydantic import Field, model_validator

from workflow_scripts.core.settings import Settings

Label = Literal["concept", "colour", "texture", "size", "scene"]
LABELS: tuple[Label, ...] = get_args(Label)
# The names of vocabulary.SCENES and vocabulary.COLOURS, spelled out for type checks and the schema of configs.
SceneName = Literal["grass", "sand", "snow", "sea", "night", "street"]
ColourName = Literal["red", "orange", "yellow", "green", "blue", "purple", "pink", "white"]
Extent = Annotated[float, Field(ge=0.2, le=1)]


class World(Settings):
    """Scenes, colours, and the size and place of objects. Many scenes and colours let a network tell images apart
    without looking at the object."""

    scenes: tuple[SceneName, ...] = Field(
        get_args(SceneName),
        min_length=2,
        description="scenes that occur, evenly often and independently of everything else",
        examples=[["grass", "night"]],
    )
    colours: tuple[ColourName, ...] = Field(
        get_args(ColourName),
        min_length=2,
        description="colours of objects that occur, evenly often and independently of everything else",
        examples=[["red", "green", "blue"]],
    )
    small_extent: tuple[Extent, ...] = Field(
        (0.48, 0.56),
        min_length=2,
        max_length=2,
        description="least and greatest extent of small objects",
        examples=[[0.46, 0.54]],
        json_schema_extra={"unit": "sides of the image"},
    )
    large_extent: tuple[Extent, ...] = Field(
        (0.78, 0.9),
        min_length=2,
        max_length=2,
        description="least and greatest extent of large objects",
        examples=[[0.66, 0.76]],
        json_schema_extra={"unit": "sides of the image"},
    )
    offset: float | None = Field(
        None,
        ge=0,
        le=0.4,
        description="greatest distance of an object's centre from the image's, along each axis; objects that reach "
        "beyond the edge are cut off. `null`: as far as the whole object stays visible, so large ones are near the "
        "centre",
        examples=[0.22],
        json_schema_extra={"unit": "sides of the image"},
    )

    @model_validator(mode="after")
    def _distinct(self) -> "World":
        for key, values in (("scenes", self.scenes), ("colours", self.colours)):
            if len(set(values)) < len(values):
                raise ValueError(f"{key} names a value twice: {', '.join(values)}")
        for key, (low, high) in (("small_extent", self.small_extent), ("large_extent", self.large_extent)):
            if low > high:
                raise ValueError(f"{key} starts at {low} but ends at {high}; give the smaller number first")
        if self.small_extent[1] >= self.large_extent[0]:
            raise ValueError(
                f"small_extent ends at {self.small_extent[1]}, but must end below large_extent, {self.large_extent[0]}"
            )
        return self


FULL = World()
