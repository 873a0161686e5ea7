"""Digest of the code behind a stage: its import closure inside ``workflow_scripts``.

A call of ``core.registry.discover`` counts as an import of all modules of the package that it names. Comments,
docstrings and formatting do not count, and the value is the same on every supported Python: nodes are written out by
our own walk, since ``ast.dump`` differs between versions. Modules that never change an artifact's bytes are left out
(:data:`NEVER_CHANGES_BYTES`); data files that a stage reads are named in its ``DATA_FILES``.
"""

import ast
import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from workflow_scripts.core.registry import members

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "workflow_scripts"
# How an artifact is stored, found, verified, logged and shown. A change of the manifest's form has its own number in
# the key.
NEVER_CHANGES_BYTES = frozenset(
    f"{PACKAGE}.core.{name}"
    for name in (
        *("artifact", "errors", "inputs", "redact", "stage", "runtime.attempts"),
        *("runtime.process", "runtime.progress"),
        *("files.bounded_json", "files.durable", "files.notes", "files.seal", "files.storage_errors"),
    )
)


def stage_closure(stage: str) -> dict[str, str]:
    """Module name -> digest of its parsed code, for every module that the stage can import."""
    found: dict[str, str] = {}
    waiting = [f"{PACKAGE}.stages.{stage}"]
    while waiting:
        name = waiting.pop()
        if name in found or name in NEVER_CHANGES_BYTES:
            continue
        text, imports = _module(_module_path(name))
        found[name] = hashlib.sha256(text.encode()).hexdigest()
        waiting.extend(imports)
    return dict(sorted(found.items()))


@cache
def code_digest(stage: str) -> str:
    """sha256 over the stage's closure and its data files; ``format-<n>`` for a stage that has a FORMAT number.

    A stage whose outputs can't be computed again (fetched bytes) keeps its key through code edits and states its
    output format by number instead.
    """
    constants = _constants(_module_path(f"{PACKAGE}.stages.{stage}"))
    if "FORMAT" in constants:
        return f"format-{constants['FORMAT']}"
    parts = [f"{name} {value}" for name, value in code_parts(stage).items()]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def code_parts(stage: str) -> dict[str, str]:
    """What the code digest is over: module name -> digest of its code, then data file -> sha256 of its bytes."""
    names = _constants(_module_path(f"{PACKAGE}.stages.{stage}")).get("DATA_FILES", ())
    return stage_closure(stage) | {name: hashlib.sha256((ROOT / name).read_bytes()).hexdigest() for name in names}


def _module_path(name: str) -> Path:
    return ROOT.joinpath(*name.split(".")).with_suffix(".py")


def _constants(path: Path) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for node in ast.parse(path.read_bytes()).body:
        name = getattr(node.targets[0], "id", None) if isinstance(node, ast.Assign) else None
        if isinstance(node, ast.Assign) and name in ("FORMAT", "DATA_FILES"):
            values[name] = ast.literal_eval(node.value)
    return values


@cache
def _module(path: Path) -> tuple[str, tuple[str, ...]]:
    tree = ast.parse(path.read_bytes())
    imports: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imports += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, path)
            imports += [base, *(f"{base}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "discover":
            package = ast.literal_eval(node.args[0])
            imports += [f"{package}.{name}" for name in members(ROOT.joinpath(*package.split(".")))]
    ours = [name for name in imports if name.startswith(f"{PACKAGE}.") and _module_path(name).is_file()]
    return canonical_code(tree), tuple(ours)


def _absolute(node: ast.ImportFrom, path: Path) -> str:
    if node.level == 0:
        return node.module or ""
    package = path.relative_to(ROOT).parts[: -node.level]
    return ".".join([*package, *([node.module] if node.module else [])])


def canonical_code(node: ast.AST) -> str:
    """A parsed module as text that only a change of meaning changes."""
    skip_first = (
        isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and ast.get_docstring(node, clean=False) is not None
    )
    parts = [type(node).__name__]
    for field, value in ast.iter_fields(node):
        # Fields that are empty, or that only some versions of Python have, say nothing.
        if value is None or value == [] or field in ("ctx", "kind", "type_comment", "type_ignores"):
            continue
        if field == "body" and skip_first:
            value = value[1:]
        parts.append(f"{field}={_canonical_value(value)}")
    return "(" + " ".join(parts) + ")"


def _canonical_value(value: object) -> str:
    if isinstance(value, ast.AST):
        return canonical_code(value)
    if isinstance(value, list):
        return "[" + ",".join(_canonical_value(item) for item in value) + "]"
    return f"{type(value).__name__}:{value!r}"
