"""``faithful-pairs config``: what a key of the config means."""

import re
import sys
from collections.abc import Iterator
from textwrap import fill
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from workflow_scripts.study.reference.page import Path, Reference
    from workflow_scripts.study.reference.schema import Schema

WIDTH = 100  # columns
LINK = re.compile(r"\[([^\]\[]*)\]\(#[^()]*\)")
ESCAPED = re.compile(r"\\([\\|<*])")


def command(
    key: Annotated[
        str, typer.Argument(metavar="KEY", help="a section or a key, such as pairs.k; without it, all sections")
    ] = "",
) -> None:
    """Explain a key of the config.

    Prints its meaning, type, unit, default, an example, and the stages that an edit of it reruns. A section is printed
    with its keys. Numbers in KEY, such as that of the item in pairs.0.k, are ignored.

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
    from workflow_scripts.study.reference.page import Reference

    reference = Reference()
    lines = _explained(reference, key) if key else _keys(reference, reference.found["Study"], (), 20)
    sys.stdout.write("\n".join(lines) + "\n")


def _explained(reference: "Reference", key: str) -> Iterator[str]:
    from workflow_scripts.study.reference.page import items
    from workflow_scripts.study.reference.reruns import Reruns

    steps = _steps(reference, key)
    model, path = steps[-1]
    schema, row = model["properties"][path[-1]], reference.row(model, path)
    below = reference.below(schema)
    yield ".".join(path)
    yield _entry("", row.meaning, 2)
    facts = {"type": row.type, "unit": row.unit, "default": row.default, "example": row.examples}
    # Keys of settings that several keys name rerun what the key that names them does.
    model, path = next((step for step in steps if reference.is_shared(*step)), steps[-1])
    facts["reruns"] = Reruns().text(path, model["properties"][path[-1]].get("examples", []))
    yield from (_entry(f"  {name}", text, 11) for name, text in facts.items() if text)
    if below:
        yield f"\n{_entry('', below['description'] + items(schema), 0)}"
        yield from _keys(reference, below, steps[-1][1], 24)


def _keys(reference: "Reference", model: "Schema", path: "Path", indent: int) -> Iterator[str]:
    for name in model["properties"]:
        row = reference.row(model, (*path, name))
        default = "required" if row.default == "*required*" else f"default: {row.default}"
        yield _entry(f"  {name}", f"{row.meaning} [{default}]" if row.default else row.meaning, indent)


def _steps(reference: "Reference", key: str) -> "list[tuple[Schema, Path]]":
    """The mapping and the path of each part of a key.

    Raises:
        PipelineError: there is no such key; with the closest spelling.
    """
    from workflow_scripts.core.errors import PipelineError
    from workflow_scripts.study.config.errors import one_of

    steps: list[tuple[Schema, Path]] = []
    model: Schema | None = reference.found["Study"]
    path: Path = ()
    for part in [part for part in key.split(".") if not part.isdigit()] or [key]:
        names = model["properties"] if model else {}
        if model is None or part not in names:
            every = list(_every(reference, reference.found["Study"], ()))
            same = [one for one in every if one.split(".")[-1] == key.split(".")[-1]]
            advice = one_of(key, same or [".".join((*path, name)) for name in names] or every)
            raise PipelineError("unknown key", "config", key, advice)
        path = (*path, part)
        steps.append((model, path))
        model = reference.below(names[part])
    return steps


def _every(reference: "Reference", model: "Schema", path: "Path") -> Iterator[str]:
    for name, schema in model["properties"].items():
        yield ".".join((*path, name))
        below = reference.below(schema)
        if below and not reference.is_shared(model, (*path, name)):
            yield from _every(reference, below, (*path, name))


def _entry(name: str, markdown: str, indent: int) -> str:
    """A name and its text, wrapped beside it."""
    text = ESCAPED.sub(r"\1", LINK.sub(r"\1", markdown).replace("`", "").replace("*nothing*", "nothing"))
    text = text.replace("*required*", "required")
    return fill(
        text,
        WIDTH,
        initial_indent=f"{name:<{indent}}" if len(name) < max(indent, 1) else f"{name}  ",
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
