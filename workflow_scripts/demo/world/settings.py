"""What a demo world varies: scenes, colours of its objects, and what captions say of them."""

from typing import Annotated, Literal, get_args

from pydantic import Field, model_validator

from workflow_scripts.core.settings import Settings

Label = Literal["concept", "colour", "texture", "size", "scene", "place"]
LABELS: tuple[Label, ...] = get_args(Label)
# The names of vocabulary.WORDINGS, spelled out for type checks and the schema of configs.
SceneName = Literal["grass", "sand", "snow", "sea", "night", "street"]
ColourName = Literal["red", "orange", "yellow", "green", "blue", "purple", "pink", "white"]


class World(Settings):
    """Scenes, colours of objects, and captions. Many scenes and colours let a network tell images apart without looking
    at the object; many named properties do so as well."""

    scenes: tuple[SceneName, ...] = Field(
        ("grass", "sand"),
        min_length=2,
        description="scenes that occur, evenly often and independently of everything else",
        examples=[["grass", "night"]],
    )
    colours: tuple[ColourName, ...] = Field(
        ("red", "orange", "yellow"),
        min_length=2,
        description="colours of objects that occur, evenly often and independently of everything else",
        examples=[["red", "green", "blue"]],
    )
    named: tuple[Annotated[float, Field(ge=0, le=1)], ...] = Field(
        (0.0, 0.2, 0.6, 0.2),
        min_length=1,
        max_length=len(LABELS),
        description="shares of the world's own captions that name 0, 1, 2, ... properties besides the concept. They "
        "are in its truth table; its annotations hold titles",
        examples=[[0, 1]],
        json_schema_extra={"unit": "shares of captions"},
    )
    wrong_concept: float = Field(
        0.02,
        ge=0,
        le=1,
        description="share of these captions that name another concept",
        examples=[0.25],
        json_schema_extra={"unit": "share of captions"},
    )
    wrong_property: float = Field(
        0.1,
        ge=0,
        le=1,
        description="how often they name another value of each further property",
        examples=[0.0],
        json_schema_extra={"unit": "share of named properties"},
    )

    @model_validator(mode="after")
    def _distinct(self) -> "World":
        for key, values in (("scenes", self.scenes), ("colours", self.colours)):
            if len(set(values)) < len(values):
                raise ValueError(f"{key} names a value twice: {', '.join(values)}")
        if abs(sum(self.named) - 1) > 1e-6:
            raise ValueError(f"named sums to {sum(self.named):g}; shares of captions must sum to 1")
        return self


DEFAULT = World()
