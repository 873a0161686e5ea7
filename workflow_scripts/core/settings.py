"""Base class of all settings: unknown keys are errors, and instances are immutable."""

import ast
import inspect
import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema


class Settings(BaseModel):
    """Base of every settings class; unknown keys and values of a wrong type are refused.

    The string below a setting describes it in the documentation and in errors.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = handler(core)
        properties = handler.resolve_ref_schema(schema).get("properties", {})
        for name, text in descriptions(cls).items():
            if text and name in properties:
                properties[name]["description"] = text
        return schema


@dataclass(frozen=True)
class OfKinds:
    """Marks a setting that only some kinds have.

    Attributes:
        names: of these kinds, as a text.
        settings: those of one of them, which describe it.
    """

    names: str
    settings: type[Settings]


@cache
def descriptions(model: type[BaseModel]) -> dict[str, str]:
    """Setting -> its description: that of its field, or else the string below it. Empty if it has neither.

    Pydantic can read these strings too, but it does so whenever a class is defined, which slows down every start.
    """
    below: dict[str, str] = {}
    for base in reversed(model.__mro__):
        if issubclass(base, Settings):
            below |= _strings(base.__module__).get(base.__name__, {})
    found = {name: field.description or below.get(name, "") for name, field in model.model_fields.items()}
    for name, field in model.model_fields.items():
        for mark in field.metadata:
            if isinstance(mark, OfKinds):
                found[name] = f"{mark.names}: {descriptions(mark.settings)[name]}"
    return found


@cache
def _strings(module: str) -> dict[str, dict[str, str]]:
    """Class -> setting -> the string below it, for the classes of a module. Empty if its text can't be read."""
    found: dict[str, dict[str, str]] = {}
    with suppress(KeyError, OSError, SyntaxError, TypeError):
        nodes = ast.walk(ast.parse(inspect.getsource(sys.modules[module])))
        for defined in (node for node in nodes if isinstance(node, ast.ClassDef)):
            for setting, below in pairwise(defined.body):
                match setting, below:
                    case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                        found.setdefault(defined.name, {})[name] = inspect.cleandoc(text)
    return found


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
