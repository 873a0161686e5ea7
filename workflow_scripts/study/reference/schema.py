"""JSON schema of a config file (draft 2020-12), by which editors complete and check it.

It describes what a study accepts, with one difference: a file may hold any part of the settings, since files are
merged. So keys are required only in the items of lists, which an overlay replaces and never merges. Rules that involve
several keys, such as names that must exist, are checked when the study is loaded.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from pydantic.json_schema import models_json_schema

from workflow_scripts.pretraining.settings import Pretrain
from workflow_scripts.study.config.runs import OF_A_RUN
from workflow_scripts.study.config.sections import Study

Schema = dict[str, Any]
PART = "Part"  # suffix of the definitions in which no key is required


@cache
def definitions() -> dict[str, Schema]:
    """Every settings class that a config file can hold, as a schema by its name; the config itself is ``Study``."""
    _, combined = models_json_schema([(Study, "validation"), (Pretrain, "validation")])
    found = _changed(combined["$defs"], _without_titles)
    for one in found.values():
        if "name" in one.get("properties", {}):  # first, although a derived class defines it
            one["properties"] = {"name": one["properties"]["name"], **one["properties"]}
    shared = found["Pretrain"]
    shared["description"] = "Settings of pretraining that all runs share; `set` of a run overrides them."
    shared["properties"] = {name: one for name, one in shared["properties"].items() if name not in OF_A_RUN}
    del shared["required"]
    for model, key in (("Study", "pretraining"), ("Run", "set")):
        given = found[model]["properties"][key]
        described = {name: given[name] for name in ("description", "examples") if name in given}
        found[model]["properties"][key] = {"$ref": "#/$defs/Pretrain", **described}
    return found


def config_schema() -> Schema:
    """The schema of ``config.yaml`` and its overlays."""
    found = _changed(definitions(), _described)
    root = _part(found.pop("Study"), found)
    used: set[str] = set()
    _collect(root, found, used)
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Config of Faithful Pairs"}
    return {**head, **root, "$defs": {name: found[name] for name in sorted(used)}}


def referred(schema: Mapping[str, Any]) -> str:
    """Name of the definition that a schema refers to; empty if it refers to none."""
    return str(schema.get("$ref", "")).rpartition("/")[2]


def _changed(part: Any, change: Callable[[Schema], Schema]) -> Any:
    """A schema with a change of each mapping in it."""
    if isinstance(part, list):
        return [_changed(one, change) for one in part]
    return change({name: _changed(one, change) for name, one in part.items()}) if isinstance(part, dict) else part


def _without_titles(part: Schema) -> Schema:
    """A mapping without its title, which repeats a name, and without the default of a whole section."""
    # A title is a text; a setting of this name is a mapping.
    left_out = {"title"} if isinstance(part.get("title"), str) else set()
    left_out |= {"default"} if "$ref" in part else set()
    return {name: value for name, value in part.items() if name not in left_out}


def _described(part: Schema) -> Schema:
    """A mapping with its description on one line, and with its unit in it, where editors show it."""
    kept = {name: value for name, value in part.items() if name != "unit"}
    if isinstance(part.get("description"), str):
        kept["description"] = " ".join(part["description"].split())
    if isinstance(part.get("unit"), str):
        kept["description"] += f" [{part['unit']}]"
    return kept


def _part(schema: Schema, found: dict[str, Schema]) -> Schema:
    """The schema of a part of a mapping and of the mappings in it, but not of the items of lists."""
    changed = {name: value for name, value in schema.items() if name != "required"}
    if name := referred(schema):
        part = _part(found[name], found)
        if part != found[name]:
            found[name + PART] = part
            changed["$ref"] += PART
    if "anyOf" in schema:
        changed["anyOf"] = [_part(one, found) for one in schema["anyOf"]]
    if "properties" in schema:
        changed["properties"] = {name: _part(one, found) for name, one in schema["properties"].items()}
    if isinstance(schema.get("additionalProperties"), Mapping):
        changed["additionalProperties"] = _part(schema["additionalProperties"], found)
    return changed


def _collect(schema: Any, found: Mapping[str, Schema], used: set[str]) -> None:
    """Add the names of all definitions that a schema refers to."""
    for one in schema if isinstance(schema, list) else schema.values() if isinstance(schema, dict) else ():
        _collect(one, found, used)
    name = referred(schema) if isinstance(schema, dict) else ""
    if name and name not in used:
        used.add(name)
        _collect(found[name], found, used)
