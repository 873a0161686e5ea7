"""Registries: what users may add (methods, backbones, kinds of arms and so on), one entry each, chosen by its name.

An entry is a frozen dataclass without defaults, so leaving out a field fails type checks and the import. Reading a
config imports all entries; they import torch and other large packages only inside their functions.
"""

from collections.abc import Iterable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, TypeVar

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema


class Entry(Protocol):
    """Base of all entries: the name used in configs, and one sentence for the reference."""

    @property
    def name(self) -> str: ...

    @property
    def summary(self) -> str: ...


E = TypeVar("E", bound=Entry)


def by_name(entries: Iterable[E]) -> dict[str, E]:
    """A registry of these entries.

    Raises:
        ValueError: two entries have the same name.
    """
    found: dict[str, E] = {}
    for entry in entries:
        if entry.name in found:
            raise ValueError(f"two entries are named {entry.name}; names in a registry are unique")
        found[entry.name] = entry
    return found


def discover(package: str, kind: type[E]) -> dict[str, E]:
    """A registry of a package whose members each define one entry with the module's name.

    The code digest counts a call of this function with a literal ``package`` as an import of all its members.

    Raises:
        ValueError: a module defines no entry, several entries, or one with another name; or it can't be imported.
    """
    folder = Path(str(import_module(package).__file__)).parent
    entries = []
    for name in members(folder):
        module = import_module(f"{package}.{name}")
        defined = [value for value in vars(module).values() if isinstance(value, kind)]
        if [one.name for one in defined] != [name]:
            value = ", ".join(one.name for one in defined) or "none"
            raise ValueError(f"{module.__name__} must define one {kind.__name__} named {name}; it defines {value}")
        entries += defined
    return by_name(entries)


def members(folder: Path) -> list[str]:
    """Names of the modules and packages in the folder of a package, sorted; hidden files are an editor's.

    Raises:
        ValueError: the name of a file or folder with code can't be imported.
    """
    code = [path for path in folder.glob("[!.]*") if path.suffix == ".py" or any(path.rglob("*.py"))]
    names = sorted({path.name.removesuffix(".py") for path in code} - {"__init__"})
    if wrong := [name for name in names if not name.isidentifier()]:
        raise ValueError(f"{folder} holds code that can't be imported: {', '.join(wrong)}; rename or remove it")
    return names


def listed(registry: Mapping[str, Entry]) -> str:
    """All entries in one line, for the description of the setting that chooses one: ``a: summary; b: summary``."""
    return "; ".join(f"{name}: {entry.summary}" for name, entry in registry.items())


class OneOf:
    """Annotation of a setting whose values are names: ``Annotated[str, OneOf(METHODS)]``.

    Values are checked, and appear in the JSON schema, like those of a ``Literal``.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self.names = list(names)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.literal_schema(self.names)
