"""Digest of the code behind a stage: its import closure inside ``workflow_scripts``.

An import of a module also runs the ``__init__.py`` of the packages above it, which counts. Of a registry (a package
that is read by ``core.registry.discover``, or a list in a call of ``by_name``) only the entries that the job uses
count, if its stage says which these are. The value is the same on every supported Python: nodes are written out by our
own walk, since ``ast.dump`` differs between versions. What can't change bytes does not count:

- comments, docstrings and formatting, so a module without code is left out;
- the wording of settings, and wording and figures in registries that no stage reads (:data:`SKIPPED_KEYWORDS`);
- what a module assigns to ``FACTS``, and the imports that only this assignment needs;
- modules that never change an artifact's bytes (:data:`NEVER_CHANGES_BYTES`).

Data files that a stage reads are named in its declaration (:class:`workflow_scripts.core.runtime.stage.Stage`).
Code is read once per process (:mod:`workflow_scripts.core.pinned_code`), so the digest is that of the code that runs.
"""

import ast
import atexit
import errno
import hashlib
import os
import sys
from collections.abc import Iterable, Mapping
from copy import copy
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.code_memory import CodeMemory, Parsed
from workflow_scripts.core.inputs import Stamp, stamp_of
from workflow_scripts.core.pinned_code import code_changed, module_file, pin_members, source
from workflow_scripts.core.registry import members

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "workflow_scripts"
PROJECT = ROOT if (ROOT / "Snakefile").is_file() else ROOT / PACKAGE / "project"
"""The folder with Snakefile, rules, config.yaml and profiles: the checkout or, in a wheel, where setup.py puts them."""
MADE_BY = hashlib.sha256(source(__file__) or b"").hexdigest()
# Modules that load code, or that store, find, verify, log or show artifacts and the progress of jobs. The format of the
# manifest has its own version number in the key.
NEVER_CHANGES_BYTES = frozenset(
    f"{PACKAGE}.{name}"
    for name in (
        "core.artifact",
        "core.errors",
        "core.errors.text",
        "core.files.bounded_json",
        "core.files.durable",
        "core.files.notes",
        "core.files.storage_errors",
        "core.inputs",
        "core.pinned_code",
        "core.record",
        "core.runtime.job_log",
        "core.runtime.meter",
        "core.runtime.process",
        "core.runtime.progress",
        "core.runtime.stage",
        "pretraining.monitor.tracking",
    )
)
SKIPPED = "FACTS"
DISCOVER, BY_NAME = "discover", "by_name"
Uses = tuple[tuple[str, tuple[str, ...]], ...]
"""Registry (a package or module below ours) -> the names of its entries that count; hashable, see :func:`uses_of`."""
# Entries of registries whose summary only config checks and docs show. The report prints the summaries of scores.
SUMMARISED = (
    "ArmKind",
    "Augmentation",
    "Layout",
    "Library",
    "ImageEncoderKind",
    "Judge",
    "Method",
    "PairKind",
    "TextEncoderKind",
)
# Called name -> keywords that never change bytes: only config checks, estimates and docs read them.
SKIPPED_KEYWORDS = {
    "Field": frozenset({"description", "examples", "json_schema_extra"}),
    "quantity": frozenset({"description", "examples", "unit"}),
    "Backbone": frozenset({"summary", "weights_bytes", "forward_gflop"}),
    "DownstreamSet": frozenset({"summary", "licence"}),
    "DatasetKind": frozenset({"summary", "contains"}),
    **dict.fromkeys(SUMMARISED, frozenset({"summary"})),
}
_data: dict[str, dict[Path, tuple[Stamp, str]]] = {}  # data files by stage, as this process first read them


def uses_of(names: Mapping[str, Iterable[str]]) -> Uses:
    """Entries by registry, in a form that can be a key."""
    return tuple((registry, tuple(sorted(entries))) for registry, entries in sorted(names.items()))


def stage_closure(stage: str, uses: Uses = ()) -> dict[str, str]:
    """Module name -> digest of its parsed code, for every module that the stage can import.

    An entry of a registry in a module has a digest of its own, by ``<module>:<entry>``.

    Args:
        uses: entries that count; all of registries that it lacks.

    Raises:
        PipelineError: a module mentions ``discover`` in a form that does not show which package it reads.
    """
    found: dict[str, str] = {}
    start = f"{PACKAGE}.stages.{stage}"
    used = {f"{PACKAGE}.{registry}": names for registry, names in uses}
    waiting, seen = [*_ours([start]), start], set(NEVER_CHANGES_BYTES)
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        module = _module(module_path(name))
        if module.parsed.code:
            found[name] = module.parsed.code
        waiting.extend(module.imports)
        for row, (code, *imports) in module.parsed.rows.items():
            if name not in used or row in used[name]:
                found[f"{name}:{row}"] = code
                waiting.extend(_ours(imports))
        for package, listed in module.members.items():
            waiting.extend(f"{package}.{one}" for one in listed if package not in used or one in used[package])
    return dict(sorted(found.items()))


@cache
def code_digest(stage: str, uses: Uses = ()) -> str:
    """sha256 over the stage's closure and its data files; ``format-<n>`` for a stage that declares a format.

    A stage whose output can't be recomputed (fetched bytes) keeps its key after code edits and declares a version
    number of its output format instead.
    """
    number = _declared(stage).get("format")
    if number is not None:
        return f"format-{number}"
    parts = [f"{name} {value}" for name, value in code_parts(stage, uses).items()]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def code_parts(stage: str, uses: Uses = ()) -> dict[str, str]:
    """The parts of the code digest: module name -> digest of its code, then data file -> sha256 of its bytes."""
    if stage not in _data:
        _data[stage] = _data_files(stage)
    hashes = {path.relative_to(ROOT).as_posix(): sha256 for path, (_, sha256) in _data[stage].items() if sha256}
    return stage_closure(stage, uses) | hashes


def check_data_files(stage: str) -> None:
    """Check that the data files of a stage are those of its digest; must be called before its result is kept.

    Raises:
        PipelineError: one was changed, added or removed meanwhile, even if that was undone.
    """
    before = _data.get(stage)
    if before is None:
        return
    try:
        now = _data_files(stage)
    except FileNotFoundError as error:
        raise code_changed(error.filename, "a data file of the stage is missing") from error
    changed = [path for path in sorted(before.keys() | now.keys()) if before.get(path) != now.get(path)]
    if changed:
        raise code_changed(str(changed[0]), "a data file of the stage was modified")


def _data_files(stage: str) -> dict[Path, tuple[Stamp, str]]:
    """Stamp and sha256 of each data file of a stage, hidden ones included; no sha256 of folders."""
    waiting, found = [ROOT / name for name in _declared(stage).get("data_files", ())], {}
    while waiting:
        path = waiting.pop(0)
        stamp = stamp_of(path.stat())
        if path.is_dir():
            found[path] = stamp, ""
            waiting[:0] = sorted(path.iterdir())
        else:
            found[path] = stamp, hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def module_path(name: str) -> Path:
    """The file of a module, or the ``__init__.py`` of a package; it may be missing."""
    return Path(module_file(str(ROOT), name) or ROOT.joinpath(*name.split(".")).with_suffix(".py"))


def _ours(names: Iterable[str]) -> list[str]:
    """The modules of this project among imported names, and the packages above them, which Python imports first."""
    paths = [name.split(".") for name in names if name.split(".")[0] == PACKAGE]
    found = dict.fromkeys(".".join(path[: count + 1]) for path in paths for count in range(len(path)))
    return [name for name in found if module_file(str(ROOT), name)]


def _declared(stage: str) -> dict[str, Any]:
    """``format`` and ``data_files`` of a stage's declaration, read without running its file."""
    return _module(module_path(f"{PACKAGE}.stages.{stage}")).parsed.declared


def _declaration(tree: ast.Module) -> dict[str, Any]:
    for node in tree.body:
        if _assigned(node) == "STAGE" and isinstance(call := getattr(node, "value", None), ast.Call):
            keywords = {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
            found = {name: ast.literal_eval(keywords[name]) for name in ("format", "data_files") if name in keywords}
            return {name: list(value) if isinstance(value, tuple) else value for name, value in found.items()}
    return {}


def _assigned(node: ast.stmt) -> str | None:
    """The name that a statement assigns to, if there is exactly one."""
    if isinstance(node, ast.Assign) and len(node.targets) == 1:
        return getattr(node.targets[0], "id", None)
    return getattr(node.target, "id", None) if isinstance(node, ast.AnnAssign) else None


@cache
def _memory(root: Path) -> CodeMemory:
    memory = CodeMemory(root / PACKAGE, MADE_BY)
    if not sys.dont_write_bytecode:
        atexit.register(memory.save)
    return memory


class _Module(NamedTuple):
    """What a file says, what it imports of ours, and the members of the packages that it discovers."""

    parsed: Parsed
    imports: list[str]
    members: dict[str, list[str]]


@cache
def _module(path: Path) -> _Module:
    content, name = source(str(path)), path.relative_to(ROOT)
    if content is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    sha256 = hashlib.sha256(content).hexdigest()
    parsed = _memory(ROOT).find(name.as_posix(), sha256)
    if parsed is None:
        parsed = _parsed(content, path)
        _memory(ROOT).add(name.as_posix(), sha256, parsed)
    found = {package: members(ROOT.joinpath(*package.split("."))) for package in parsed.packages}
    for package, listed in found.items():
        pin_members(".".join(name.with_suffix("").parts).removesuffix(".__init__"), package, listed)
        for one in listed:  # all are imported, whichever count
            module_file(str(ROOT), f"{package}.{one}")
    return _Module(parsed, _ours([*parsed.imports, *parsed.packages]), found)


def _parsed(content: bytes, path: Path) -> Parsed:
    tree, rows = without_rows(without_facts(ast.parse(content)))
    empty = all(map(_does_nothing, tree.body))
    code = "" if empty else _sha256_of(tree)
    declared = _declaration(tree) if path.parent.name == "stages" else {}
    of_rows = {name: [_sha256_of(row), *_imported(row, path)] for name, row in rows.items()}
    return Parsed(code, _imported(tree, path), _discovered(tree, path), declared, of_rows)


def _sha256_of(tree: ast.Module) -> str:
    return hashlib.sha256(canonical_code(tree).encode()).hexdigest()


def _imported(tree: ast.Module, path: Path) -> list[str]:
    imports: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imports += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, path)
            imports += [base, *(f"{base}.{alias.name}" for alias in node.names)]
    return list(dict.fromkeys(imports))


def without_rows(tree: ast.Module) -> tuple[ast.Module, dict[str, ast.Module]]:
    """A module without the entries of its registry, and each entry by its name.

    The registry is a list in a call of ``by_name`` that is assigned, whose entries are calls with a literal name. With
    an entry go the module's private functions that only entries need. Of another form, all stays in the module.
    """
    found = [node for node in tree.body if isinstance(node, ast.Assign | ast.AnnAssign) and _rows(node)]
    if len(found) != 1:
        return tree, {}
    listing = _rows(found[0])
    private = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("_")}
    empty = copy(found[0])
    empty.value = ast.Call(ast.Name(BY_NAME, ast.Load()), [], [])
    rest = [empty if node is found[0] else node for node in tree.body if node not in private.values()]
    stays = _needed(rest, private)
    body = [
        empty if node is found[0] else node
        for node in tree.body
        if getattr(node, "name", "") not in private.keys() - stays
    ]
    rows = {
        name: ast.Module([ast.Expr(row), *(private[one] for one in sorted(_needed([row], private) - stays))], [])
        for name, row in listing.items()
    }
    return ast.Module(body, []), rows


def _rows(node: ast.Assign | ast.AnnAssign) -> dict[str, ast.expr]:
    """Name -> entry of the registry that a statement assigns; empty if it assigns none of a known form."""
    call = node.value
    if not (isinstance(call, ast.Call) and getattr(call.func, "id", "") == BY_NAME and len(call.args) == 1):
        return {}
    listing = call.args[0]
    rows = [row for row in listing.elts if isinstance(row, ast.Call)] if isinstance(listing, ast.List) else []
    words = [[word.value for word in row.keywords if word.arg == "name"] or row.args[:1] for row in rows]
    names = [found[0].value for found in words if found and isinstance(found[0], ast.Constant)]
    complete = isinstance(listing, ast.List) and len(set(names)) == len(listing.elts)
    return dict(zip(map(str, names), rows, strict=True)) if complete else {}


def _needed(nodes: Iterable[ast.AST], private: Mapping[str, ast.FunctionDef]) -> set[str]:
    """Which of these functions some nodes use, directly or by another of them."""
    found: set[str] = set()
    waiting = list(nodes)
    while waiting:
        names = {one.id for one in ast.walk(waiting.pop()) if isinstance(one, ast.Name)} & private.keys()
        waiting += [private[name] for name in names - found]
        found |= names
    return found


def _does_nothing(node: ast.stmt) -> bool:
    """Whether a statement is a docstring, or imports only what never changes bytes."""
    if isinstance(node, ast.Import):
        return NEVER_CHANGES_BYTES.issuperset(alias.name for alias in node.names)
    return _is_docstring(node)


def _discovered(tree: ast.Module, path: Path) -> list[str]:
    """Packages that a module passes to ``discover``, the only function that imports modules by their folder."""
    nodes = list(ast.walk(tree))
    values = [node.value for node in tree.body if isinstance(node, ast.Assign | ast.AnnAssign)]
    calls = [value for value in values if isinstance(value, ast.Call) and _is_discover(value.func)]
    words = [{word.arg: word.value for word in call.keywords} for call in calls]
    packages = [call.args[0] if call.args else word.get("package") for call, word in zip(calls, words, strict=True)]
    found = [one.value for one in packages if isinstance(one, ast.Constant) and isinstance(one.value, str)]
    renamed = any(isinstance(node, ast.alias) and node.name == DISCOVER and node.asname for node in nodes)
    if renamed or len(found) != sum(_is_discover(node) for node in nodes):
        advice = (
            "call it by this name, outside functions, with the package as a literal, so that the code digest covers "
            "the members"
        )
        raise PipelineError("unclear use of a registry", path, DISCOVER, advice)
    return found


def _is_discover(node: ast.AST) -> bool:
    return getattr(node, "id", getattr(node, "attr", None)) == DISCOVER


def without_facts(tree: ast.Module) -> ast.Module:
    """A module without its ``FACTS`` and without the names that are imported only for it.

    Type checks refuse to import such a name from the module, unless it is exported (``__all__``, ``import x as x``),
    which a module with facts must not do.
    """
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
    parts = [type(node).__name__]
    for field, value in ast.iter_fields(node):
        if field == "body" and isinstance(value, list):
            value = [statement for statement in value if not _is_docstring(statement)]
        # Fields that are empty, or that only some versions of Python have, carry no meaning.
        if value is None or value == [] or field in ("ctx", "kind", "type_comment", "type_ignores"):
            continue
        called = getattr(getattr(node, "func", None), "id", None)
        if field == "keywords" and called in SKIPPED_KEYWORDS:
            value = [keyword for keyword in value if keyword.arg not in SKIPPED_KEYWORDS[called]]
            if not value:
                continue
        parts.append(f"{field}={_canonical_value(value)}")
    return "(" + " ".join(parts) + ")"


def _is_docstring(node: ast.stmt) -> bool:
    """Whether a statement is a text alone, as docstrings of functions and of attributes are."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _canonical_value(value: object) -> str:
    if isinstance(value, ast.AST):
        return canonical_code(value)
    if isinstance(value, list):
        return "[" + ",".join(_canonical_value(item) for item in value) + "]"
    return f"{type(value).__name__}:{value!r}"
