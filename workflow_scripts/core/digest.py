"""Digest of the code behind a stage: its import closure inside ``workflow_scripts``.

A call of ``core.registry.discover`` counts as an import of all modules of the package that it names. The value is the
same on every supported Python: nodes are written out by our own walk, since ``ast.dump`` differs between versions. What
can't change bytes does not count:

- comments, docstrings and formatting;
- the wording of settings, and wording and figures in registries that no stage reads (:data:`SKIPPED_KEYWORDS`);
- what a module assigns to ``FACTS``, and the imports that only this assignment needs;
- modules that never change an artifact's bytes (:data:`NEVER_CHANGES_BYTES`).

Data files that a stage reads are named in its declaration (:class:`workflow_scripts.core.declaration.stage.Stage`).
"""

import ast
import hashlib
from copy import copy
from functools import cache
from pathlib import Path
from typing import Any

from workflow_scripts.core.registry import members

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "workflow_scripts"
# Modules that store, find, verify, log or show artifacts. The format of the manifest has its own version number in
# the key.
NEVER_CHANGES_BYTES = frozenset(
    f"{PACKAGE}.core.{name}"
    for name in (
        *("artifact", "declaration.stage", "errors", "inputs", "redact", "stage", "runtime.attempts"),
        *("runtime.process", "runtime.progress"),
        *("files.bounded_json", "files.durable", "files.notes", "files.seal", "files.storage_errors"),
    )
)
SKIPPED = "FACTS"
# Entries of registries whose summary only config checks and docs show. The report prints the summaries of scores.
SUMMARISED = ("ArmKind", "Augmentation", "ImageEncoderKind", "Judge", "Method", "Scope", "TextEncoderKind")
# Called name -> keywords that never change bytes: only config checks, estimates and docs read them.
SKIPPED_KEYWORDS = {
    "Field": frozenset({"description", "examples", "json_schema_extra"}),
    "Backbone": frozenset({"summary", "weights_bytes", "forward_gflop"}),
    "DownstreamSet": frozenset({"summary", "contents"}),
    "DatasetKind": frozenset({"summary", "contains"}),
    **dict.fromkeys(SUMMARISED, frozenset({"summary"})),
}


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
    """sha256 over the stage's closure and its data files; ``format-<n>`` for a stage that declares a format.

    A stage whose output can't be recomputed (fetched bytes) keeps its key after code edits and declares a version
    number of its output format instead.
    """
    number = _declared(stage).get("format")
    if number is not None:
        return f"format-{number}"
    parts = [f"{name} {value}" for name, value in code_parts(stage).items()]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def code_parts(stage: str) -> dict[str, str]:
    """The parts of the code digest: module name -> digest of its code, then data file -> sha256 of its bytes."""
    files: list[Path] = []
    for name in _declared(stage).get("data_files", ()):
        path = ROOT / name
        files += sorted(path.iterdir()) if path.is_dir() else [path]
    hashes = {path.relative_to(ROOT).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    return stage_closure(stage) | hashes


def _module_path(name: str) -> Path:
    return ROOT.joinpath(*name.split(".")).with_suffix(".py")


def _declared(stage: str) -> dict[str, Any]:
    """``format`` and ``data_files`` of a stage's declaration, read without running its file."""
    for node in ast.parse(_module_path(f"{PACKAGE}.stages.{stage}").read_bytes()).body:
        if _assigned(node) == "STAGE" and isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            keywords = {keyword.arg: keyword.value for keyword in node.value.keywords if keyword.arg}
            return {name: ast.literal_eval(keywords[name]) for name in ("format", "data_files") if name in keywords}
    return {}


def _assigned(node: ast.stmt) -> str | None:
    """The name that a statement assigns to, if there is exactly one."""
    if isinstance(node, ast.Assign) and len(node.targets) == 1:
        return getattr(node.targets[0], "id", None)
    return getattr(node.target, "id", None) if isinstance(node, ast.AnnAssign) else None


@cache
def _module(path: Path) -> tuple[str, tuple[str, ...]]:
    tree = without_facts(ast.parse(path.read_bytes()))
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


def without_facts(tree: ast.Module) -> ast.Module:
    """A module without its ``FACTS`` and without the names that are imported only for it."""
    facts = [node for node in tree.body if _assigned(node) == SKIPPED]
    if not facts:
        return tree
    rest = [node for node in tree.body if node not in facts]
    unneeded = _names(facts) - _names(rest)
    body: list[ast.stmt] = []
    for node in rest:
        if isinstance(node, ast.Import | ast.ImportFrom):
            node = copy(node)
            node.names = [one for one in node.names if (one.asname or one.name.split(".")[0]) not in unneeded]
            if not node.names:
                continue
        body.append(node)
    return ast.Module(body=body, type_ignores=[])


def _names(nodes: list[ast.stmt]) -> set[str]:
    """All names that these statements use or assign, apart from those that they import."""
    return {one.id for node in nodes for one in ast.walk(node) if isinstance(one, ast.Name)}


def _absolute(node: ast.ImportFrom, path: Path) -> str:
    if node.level == 0:
        return node.module or ""
    package = path.relative_to(ROOT).parts[: -node.level]
    return ".".join([*package, *([node.module] if node.module else [])])


def canonical_code(node: ast.AST) -> str:
    """A parsed module as text that changes only if the meaning does."""
    skip_first = (
        isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and ast.get_docstring(node, clean=False) is not None
    )
    parts = [type(node).__name__]
    for field, value in ast.iter_fields(node):
        # Fields that are empty, or that only some versions of Python have, carry no meaning.
        if value is None or value == [] or field in ("ctx", "kind", "type_comment", "type_ignores"):
            continue
        if field == "body" and skip_first:
            value = value[1:]
        called = getattr(getattr(node, "func", None), "id", None)
        if field == "keywords" and called in SKIPPED_KEYWORDS:
            value = [keyword for keyword in value if keyword.arg not in SKIPPED_KEYWORDS[called]]
            if not value:
                continue
        parts.append(f"{field}={_canonical_value(value)}")
    return "(" + " ".join(parts) + ")"


def _canonical_value(value: object) -> str:
    if isinstance(value, ast.AST):
        return canonical_code(value)
    if isinstance(value, list):
        return "[" + ",".join(_canonical_value(item) for item in value) + "]"
    return f"{type(value).__name__}:{value!r}"
