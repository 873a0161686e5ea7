"""The config reference: a Markdown page with every key of a config, from the same definitions as the schema."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from workflow_scripts.study.reference.schema import Schema, definitions, referred

HEAD = """# Config reference
Generated from the settings classes by `make docs`; edit the classes, not this page.

`config.yaml` is read first, then the overlays given with `--configfile`. Mappings are merged key by key; a list or a
single value replaces the earlier one. All mistakes are reported before anything runs, with file, line and key.

`faithful-pairs config KEY` prints a single key.

Editors with a YAML language server complete and check the keys of a file that starts with this line (with the path from
that file to `docs/config.schema.json`):

```
# yaml-language-server: $schema=docs/config.schema.json
```

- **default**: the value if no file has the key. *required*: there is none.
- **reruns**: the stages that run again after an edit of the key. Stages that read their results run again only if these
  changed, and a value that was used before comes back from the cache ([what reruns](../reruns.md)). Keys that rerun
  *nothing* change how a job runs, not its result.
"""
COLUMNS = ("key", "type", "default", "example", "reruns", "meaning")
SHORTENED = re.compile(r"\b([0-9a-f]{8})[0-9a-f]{56}\b")  # sha256
Path = tuple[str, ...]
Reruns = Callable[[Path, list[Any]], str]
EXPLAINED = re.compile(r"(?<![\w/.-])([\w.-]++): ")  # a word that a description explains


@dataclass(frozen=True)
class Row:
    """A key as the reference shows it, in Markdown; empty text where there is nothing to say."""

    path: Path
    type: str
    unit: str
    default: str
    examples: str
    meaning: str


def page(reruns: Reruns) -> str:
    """The page.

    Args:
        reruns: from the path of a key, and examples of its values, to the stages that an edit reruns, as text.
    """
    return "\n".join([HEAD, *Reference().lines(reruns)])


class Reference:
    """Every key that a config can have."""

    def __init__(self) -> None:
        self.found = definitions()
        uses = [name for one in self.found.values() for name in _references(one)]
        self.shared = sorted({name for name in uses if uses.count(name) > 1} - {"Pretrain"})
        self.anchors = {name: name.lower() for name in self.shared} | {"Pretrain": "pretraining"}

    def lines(self, reruns: Reruns) -> Iterator[str]:
        """The page below its head: sections in the order of the config, each followed by those of its mappings."""
        study = self.found["Study"]
        single = {key: one for key, one in study["properties"].items() if not any(_references(one))}
        yield from ("## Top level", "", *self._table({**study, "properties": single}, (), reruns))
        for key, one in study["properties"].items():
            if key not in single:
                yield from self._section((key,), one, reruns)
        for name in self.shared:
            about = _escaped(self.found[name]["description"])
            table = self._table(self.found[name], (), lambda _path, _examples: "as the key that names it")
            yield from (f"## {name}", about, "", *table)

    def below(self, schema: Schema) -> Schema | None:
        """The mapping whose keys the value of a key, or each of its items, has."""
        names = _references(schema)
        return self.found[names[0]] if names else None

    def is_shared(self, model: Schema, path: Path) -> bool:
        """Whether the key at a path, one of a mapping's, names settings that other keys name too."""
        return path != ("pretraining",) and bool(set(_references(model["properties"][path[-1]])) & set(self.anchors))

    def row(self, model: Schema, path: Path) -> Row:
        """The key at a path, which is one of a mapping's."""
        schema = model["properties"][path[-1]]
        required = path[-1] in model.get("required", ())
        return Row(
            path,
            self._type(schema, path),
            schema.get("unit", ""),
            "*required*" if required else _code(schema["default"]) if "default" in schema else "",
            ", ".join(_code(example) for example in schema.get("examples", ())),
            _text(schema),
        )

    def _section(self, path: Path, schema: Schema, reruns: Reruns) -> Iterator[str]:
        """The keys of what stands at a path, and below it of the mappings in it."""
        model = self.found[_references(schema)[0]]
        yield from (f"{'#' * (1 + len(path))} {'.'.join(path)}", _escaped(model["description"]) + items(schema), "")
        yield from self._table(model, path, reruns)
        for key, one in model["properties"].items():
            if set(_references(one)) - set(self.anchors):
                yield from self._section((*path, key), one, reruns)

    def _table(self, model: Schema, path: Path, reruns: Reruns) -> Iterator[str]:
        yield f"| {' | '.join(COLUMNS)} |"
        yield f"|{'---|' * len(COLUMNS)}"
        for key, one in model["properties"].items():
            row = self.row(model, (*path, key))
            kind = f"{row.type} ({row.unit})" if row.unit else row.type
            stages = reruns(row.path, one.get("examples", []))
            yield f"| {' | '.join((f'`{key}`', kind, row.default, row.examples, stages, row.meaning))} |"
        yield ""

    def _type(self, schema: Schema, path: Path) -> str:
        if name := referred(schema):
            anchor = self.anchors.get(name, "".join(path).lower())
            return f"[{name if name in self.shared else 'mapping'}](#{anchor.replace('.', '')})"
        if "anyOf" in schema:
            return " or ".join(self._type(one, path) for one in schema["anyOf"])
        if "enum" in schema or "const" in schema:
            return ", ".join(_code(value) for value in schema.get("enum", [schema.get("const")]))
        kind = schema.get("type")
        if not schema:
            return "any value"
        if kind == "array":
            return f"list of {self._type(schema['items'], path)}"
        if kind == "object":
            inner = schema.get("additionalProperties")
            return f"mapping of {_names(schema)} to {self._type(inner, path)}" if isinstance(inner, dict) else "mapping"
        if kind == "null":
            return "`null`"
        if kind == "boolean":
            return "`true`, `false`"
        return f"{'text' if kind == 'string' else kind}{_limits(schema)}"


def _references(schema: Any) -> list[str]:
    """Names of the definitions in a schema, in order; of its own keys, for a whole definition."""
    if isinstance(schema, list):
        return [name for one in schema for name in _references(one)]
    if not isinstance(schema, dict):
        return []
    own = [referred(schema)] if referred(schema) else []
    return own + [
        name for key, one in schema.items() if key not in ("default", "examples") for name in _references(one)
    ]


def items(schema: Schema) -> str:
    """What has the keys of a section, if it is a list or mapping of such settings."""
    return {"array": " Each item has these keys.", "object": " Each entry has these keys."}.get(
        schema.get("type", ""), ""
    )


def _names(schema: Schema) -> str:
    allowed = schema.get("propertyNames", {}).get("enum")
    return ", ".join(map(_code, allowed)) if allowed else "names"


def _limits(schema: Schema) -> str:
    """Bounds of a number, as ``≥ 1`` or ``> 0, ≤ 1``."""
    signs = {"exclusiveMinimum": ">", "minimum": "≥", "exclusiveMaximum": "<", "maximum": "≤"}
    found = [f"{sign} {schema[name]:,}".removesuffix(".0") for name, sign in signs.items() if name in schema]
    return f" {', '.join(found)}" if found else ""


def _code(value: Any) -> str:
    """A value as YAML, on one line."""
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10_000, allow_unicode=True)
    text = SHORTENED.sub(r"\1…", text.removesuffix("\n").removesuffix("...").strip())
    return f"`{text}`"


def _text(schema: Schema) -> str:
    """The description; values that it explains are set as code."""
    words = {
        "null",
        "true",
        "false",
        *(str(one) for part in _parts(schema) for one in part.get("enum", [part.get("const")]) if one),
    }
    return EXPLAINED.sub(
        lambda found: f"`{found[1]}`: " if found[1] in words else found[0], _escaped(schema["description"])
    )


def _escaped(text: str) -> str:
    """Plain text on one line of Markdown, in a table or not."""
    for special in "\\|<*":
        text = text.replace(special, f"\\{special}")
    return " ".join(text.replace("``", "`").split())


def _parts(schema: Schema) -> list[Schema]:
    return [schema, *schema.get("anyOf", ()), *([schema["items"]] if "items" in schema else ())]
