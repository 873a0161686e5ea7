"""What all settings share: unknown keys are an error, values never change after they were read."""

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """Base of every settings class; a mistyped key or a value of a wrong type is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
