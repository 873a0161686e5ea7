"""Base class of all settings: unknown keys are errors, and instances are immutable."""

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Settings(BaseModel):
    """Base of every settings class; unknown keys and values of a wrong type are refused.

    The string below a setting describes it in the documentation and in errors.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True)


def refuse_changed(settings: Settings, names: Iterable[str], reason: str) -> None:
    """Refuse settings that have no effect.

    Raises:
        ValueError: one of them is not at its default; the reason follows its name.
    """
    for name in names:
        if getattr(settings, name) != type(settings).model_fields[name].default:
            raise ValueError(f"{name} has no effect {reason}")


def quantity(default: Any = ..., *, unit: str, **field: Any) -> Any:
    """A ``Field`` whose value is measured in a unit, which the documentation shows."""
    return Field(default, json_schema_extra={"unit": unit}, **field)
