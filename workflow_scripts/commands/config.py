"""``faithful-pairs config``: what a key of the config means."""

import re
import sys
from collections.abc import Iterator
from textwrap import fill
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from workflow_scripts.study.reference.schema import Schema

WIDTH = 100  # columns
SHORTENED = re.compile(r"\b([0-9a-f]{8})[0-9a-f]{56}\b")  # sha256
BOUNDS = {"exclusiveMinimum": ">", "minimum": "≥", "exclusiveMaximum": "<", "maximum": "≤"}
ITEMS = {"array": " Each item has these keys.", "object": " Each entry has these keys."}


def command(
    key: Annotated[
        str, typer.Argument(metavar="KEY", help="a section or a key, such as pairs.k; without it, all sections")
    ] = "",
) -> None:
    """Explain a key of the config.

    Prints its meaning, type, unit, default and an example, and marks settings of download and pretraining that rerun
    nothing. A section is printed with its keys. Numbers in KEY, such as that of the item in pairs.0.k, are ignored.

    \b
    Examples:
      faithful-pairs config              # all sections
      faithful-pairs config pairs        # the keys of a section
      faithful-pairs config pairs.k

    \b
    Exit status:
      0  printed
      1  the config has no such key
      2  wrong usage
    """
    sys.stdout.write(explained(key))


def explained(key: str) -> str:
    """What is printed of a key; of all sections without one."""
    from workflow_scripts.study.reference.schema import definitions

    models = definitions()
    return "\n".join(_explained(models, key) if key else _keys(models["Study"], 20)) + "\n"


def every_key() -> list[str]:
    """All keys, sections before their keys."""
    from workflow_scripts.study.reference.schema import definitions

    models = definitions()
    return list(_every(models, models["Study"], ""))


def _explained(models: "dict[str, Schema]", key: str) -> Iterator[str]:
    path, model = _found(models, key)
    schema, below = model["properties"][path[-1]], _below(models, model["properties"][path[-1]])
    yield ".".join(path)
    yield _entry("", schema["description"], 2)
    facts = {"type": _type(schema), "unit": schema.get("unit", ""), "default": _default(model, path[-1])}
    usual = _in_base(path)
    if usual not in (None, schema.get("default")) and len(text := _yaml(usual)) <= 60:
        facts["default"] = "; ".join(filter(None, (facts["default"], f"config.yaml sets {text}")))
    facts["example"] = ", ".join(map(_yaml, schema.get("examples", ())))
    facts["reruns"] = "nothing" if _reruns_nothing(path) else ""
    yield from (_entry(f"  {name}", text, 11) for name, text in facts.items() if text)
    if below:
        yield f"\n{_entry('', below['description'] + ITEMS.get(schema.get('type', ''), ''), 0)}"
        yield from _keys(below, 24)


def _keys(model: "Schema", indent: int) -> Iterator[str]:
    for name, schema in model["properties"].items():
        default = _default(model, name)
        shown = default if default in ("", "required") else f"default: {default}"
        yield _entry(f"  {name}", f"{schema['description']} [{shown}]" if shown else schema["description"], indent)


def _found(models: "dict[str, Schema]", key: str) -> "tuple[list[str], Schema]":
    """The path of a key, and the mapping that has it.

    Raises:
        PipelineError: there is no such key; with the closest spelling.
    """
    from workflow_scripts.core.errors import PipelineError
    from workflow_scripts.study.config.errors import one_of

    path: list[str] = []
    model: Schema | None = models["Study"]
    within = models["Study"]
    for part in [part for part in key.split(".") if not part.isdigit()] or [key]:
        names = model["properties"] if model else {}
        if model is None or part not in names:
            every = list(_every(models, models["Study"], ""))
            same = [known for known in every if known.split(".")[-1] == key.split(".")[-1]]
            advice = one_of(key, same or [".".join((*path, name)) for name in names] or every)
            raise PipelineError("unknown key", "config", key, advice)
        path.append(part)
        within, model = model, _below(models, names[part])
    return path, within


def _every(models: "dict[str, Schema]", model: "Schema", prefix: str) -> Iterator[str]:
    """All keys, without those of training settings that `set` and `sweep` of a run have too."""
    for name, schema in model["properties"].items():
        yield f"{prefix}{name}"
        below = _below(models, schema)
        if below and not (prefix and below is models["Pretrain"]):
            yield from _every(models, below, f"{prefix}{name}.")


def _below(models: "dict[str, Schema]", schema: Any) -> "Schema | None":
    """The mapping whose keys the value of a key, or each of its items, has."""
    from workflow_scripts.study.reference.schema import referred

    if isinstance(schema, list):
        return next((below for part in schema if (below := _below(models, part))), None)
    if not isinstance(schema, dict):
        return None
    own = models.get(referred(schema))
    return own or _below(models, [part for name, part in schema.items() if name not in ("default", "examples")])


def _reruns_nothing(path: list[str]) -> bool:
    """Whether a key changes how jobs run and not their results: no stage that has it counts it in its own key."""
    from workflow_scripts.study.config.stages import declaration, facts, stage_names

    sections = {stage: facts(stage).section or "" for stage in stage_names()} | {"pretrain": "pretraining"}
    stages = [declaration(stage) for stage, section in sections.items() if section.partition(".")[0] == path[0]]
    having = [stage for stage in stages if stage is not None and path[1:2] and path[1] in stage.settings.model_fields]
    return bool(having) and all(path[1] in stage.not_in_key for stage in having)


def _default(model: "Schema", name: str) -> str:
    schema = model["properties"][name]
    return "required" if name in model.get("required", ()) else _yaml(schema["default"]) if "default" in schema else ""


def _in_base(path: list[str]) -> Any:
    """The value in ``config.yaml``, of a study of its own that has one too; None without one."""
    from workflow_scripts.study.active_config import base_files
    from workflow_scripts.study.config.files import read_config

    node, found = read_config(base_files()).root.at(path)
    return node.data() if found == tuple(path) else None


def _type(schema: "Schema") -> str:
    kind = schema.get("type")
    if "$ref" in schema:
        return "mapping"
    if "anyOf" in schema:
        return " or ".join(map(_type, schema["anyOf"]))
    if "enum" in schema or "const" in schema:
        return ", ".join(map(_yaml, schema.get("enum", [schema.get("const")])))
    if kind == "array":
        return f"list of {_type(schema['items'])}"
    if kind == "object":
        inner = schema.get("additionalProperties")
        names = ", ".join(schema.get("propertyNames", {}).get("enum", ["names"]))
        return f"mapping of {names} to {_type(inner)}" if isinstance(inner, dict) else "mapping"
    limits = [f"{sign} {schema[name]:,}".removesuffix(".0") for name, sign in BOUNDS.items() if name in schema]
    named = {"null": "null", "boolean": "true, false", "string": "text", None: "any value"}.get(kind, kind)
    return f"{named} {', '.join(limits)}".strip()


def _yaml(value: Any) -> str:
    """A value as YAML, on one line."""
    import yaml

    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10_000, allow_unicode=True)
    return SHORTENED.sub(r"\1…", text.removesuffix("\n").removesuffix("...").strip())


def _entry(name: str, text: str, indent: int) -> str:
    """A name and its text, wrapped beside it."""
    return fill(
        " ".join(text.replace("`", "").split()),
        WIDTH,
        initial_indent=f"{name:<{indent}}" if len(name) < max(indent, 1) else f"{name}  ",
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
