"""Descriptions of settings."""

import inspect

import pytest
from pydantic import Field, create_model

from workflow_scripts.core.settings import Settings, _strings, descriptions, quantity


class _Above(Settings):
    """A string that describes no setting."""

    inherited: int = 1
    """Above."""
    changed: int = 1
    """Above, too."""


class _Own(_Above):
    changed: int = 2
    """Changed."""
    long: int = quantity(3, unit="images")
    """A string of two
    lines."""
    named: int = Field(4, description="its own")
    """Not this."""
    bare: int = 5
    parts: _Above = _Above()
    """A section."""


DESCRIBED = {
    "inherited": "Above.",
    "changed": "Changed.",
    "long": "A string of two\nlines.",
    "named": "its own",
    "bare": "",
    "parts": "A section.",
}


def test_descriptions_are_the_strings_below_settings() -> None:
    assert descriptions(_Own) == DESCRIBED


def test_the_schema_shows_descriptions() -> None:
    schema = _Own.model_json_schema()
    shown = {name: setting.get("description") for name, setting in schema["properties"].items()}
    assert shown == DESCRIBED | {"bare": None}
    assert schema["properties"]["long"]["unit"] == "images"
    assert schema["$defs"]["_Above"]["properties"]["changed"]["description"] == "Above, too."


def test_classes_whose_text_is_not_known_have_the_descriptions_of_those_above() -> None:
    assert descriptions(create_model("Other", __base__=_Own, more=(int, 1))) == DESCRIBED | {"more": ""}
    made = {"_Above": _Above}
    exec("class Third(_Above):\n    own: int = 1\n    'A string.'", made)
    assert descriptions(made["Third"]) == descriptions(_Above) | {"own": ""}


def test_a_text_that_is_not_python_describes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspect, "getsource", lambda _: "class")
    assert _strings.__wrapped__(__name__) == {}
