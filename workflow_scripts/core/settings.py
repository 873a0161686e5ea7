"""Base class of all settings: unknown keys are errors, and instances are immutable."""

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """Base of every settings class; unknown keys and values of a wrong type are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
