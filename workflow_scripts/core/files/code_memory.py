"""What the code of modules was found to say, kept from one process to the next: to parse all of it takes over a second.

It lies beside Python's compiled code, in ``__pycache__`` of the package. An entry counts only for the very bytes that
it was made from, and only if the same version of the parsing code made it. A damaged file counts as missing.
"""

import json
from contextlib import suppress
from importlib.util import cache_from_source
from pathlib import Path
from typing import Any, NamedTuple

from workflow_scripts.core.files.bounded_json import read_object_or_none
from workflow_scripts.core.files.durable import write_atomic
from workflow_scripts.core.files.notes import is_intact, sealed


class Parsed(NamedTuple):
    """What a module says.

    Attributes:
        code: sha256 of its canonical code; empty if it has none.
        imports: modules and packages, of ours or not, and names in them.
        packages: those whose members it imports by ``discover``.
        declared: ``format`` and ``data_files`` of a stage's declaration.
        rows: of a registry in the module, the name of each entry -> sha256 of its code, then what it imports.
    """

    code: str
    imports: list[str]
    packages: list[str]
    declared: dict[str, Any]
    rows: dict[str, list[str]]


class CodeMemory:
    """Entries of the modules of one package.

    Args:
        package: folder of the package.
        version: of the code that makes the entries; those of another one are forgotten.
    """

    def __init__(self, package: Path, version: str) -> None:
        self._file = Path(cache_from_source(str(package / "code_memory.py"))).with_suffix(".json")
        self._version = version
        self._changed = False
        self._entries: dict[str, tuple[str, Parsed]] = {}
        content = read_object_or_none(self._file) or {}
        if content.get("version") == version and is_intact(content):
            self._entries = {name: (sha256, Parsed(*one)) for name, (sha256, one) in content["modules"].items()}

    def find(self, module: str, sha256: str) -> Parsed | None:
        """What was kept of a module whose source has this sha256; None if nothing was."""
        source, parsed = self._entries.get(module, ("", None))
        return parsed if source == sha256 else None

    def add(self, module: str, sha256: str, parsed: Parsed) -> None:
        """Keep what a module says, in place of what was kept of other source."""
        self._entries[module] = (sha256, parsed)
        self._changed = True

    def save(self) -> None:
        """Write the entries if there are new ones and the folder lets us."""
        if not self._changed:
            return
        self._changed = False
        content = sealed({"version": self._version, "modules": self._entries})
        with suppress(OSError):  # the next process parses again
            self._file.parent.mkdir(exist_ok=True)
            write_atomic(self._file, json.dumps(content).encode())
