"""Base class of all settings: unknown keys are errors, and instances are immutable."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Settings(BaseModel):
    """Base of every settings class; unknown keys and values of a wrong type are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def quantity(default: Any = ..., *, unit: str, **field: Any) -> Any:
    """A ``Field`` whose value is measured in a unit, which the documentation shows."""
    return Field(default, json_schema_extra={"unit": unit}, **field)
