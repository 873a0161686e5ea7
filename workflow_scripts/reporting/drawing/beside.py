"""The files beside a page: its figures and tables, each in all of its formats."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import is_dataclass
from typing import Any

from workflow_scripts.reporting.figures import Figure
from workflow_scripts.reporting.tables import Table

KINDS = {Figure: "figure", Table: "table"}
FORMATS = {Figure: ("svg", "pdf", "csv"), Table: ("csv", "tex", "md")}


def file_name(shown: Figure | Table, extension: str) -> str:
    """``figure-NAME.svg`` or ``table-NAME.tex``."""
    return f"{KINDS[type(shown)]}-{shown.name}.{extension}"


def links(shown: Figure | Table, folder: str = "index") -> list[tuple[str, str]]:
    """Format and address, relative to a page beside ``folder``."""
    return [(extension.upper(), f"{folder}/{file_name(shown, extension)}") for extension in FORMATS[type(shown)]]


def files(context: Mapping[str, Any]) -> dict[str, bytes]:
    """Content by file name of every figure and table in a page's context, wherever it stands.

    Raises:
        ValueError: two of them have the same name.
    """
    made: dict[str, bytes] = {}
    for shown in _found(context):
        for extension, content in shown.files().items():
            name = file_name(shown, extension)
            if made.setdefault(name, content) != content:
                raise ValueError(f"two figures or tables are called {shown.name}")
    return made


def _found(value: Any) -> Iterator[Figure | Table]:
    if isinstance(value, Figure) or (isinstance(value, Table) and value.rows):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _found(inner)
    elif is_dataclass(value):
        yield from _found(vars(value))
    elif isinstance(value, Iterable) and not isinstance(value, str | bytes):
        for inner in value:
            yield from _found(inner)
