"""Which modules and functions differ between the code behind two artifacts.

A run record holds the digest of each module. The text behind a digest is looked for in today's files and in the
recorded commit, and taken only when it has that digest.
"""

import ast
import hashlib
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from workflow_scripts.core.digest import ROOT, canonical_code, without_facts
from workflow_scripts.core.pinned_code import INIT

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
MODULE_LEVEL = "module level"


@dataclass(frozen=True)
class ModuleDifference:
    """A module that differs: ``changed``, ``only in A`` or ``only in B``, and the names of what differs in it.

    ``names`` is None when the text of one side is unavailable.
    """

    module: str
    kind: str
    names: tuple[str, ...] | None


def module_differences(
    a: Mapping[str, str], b: Mapping[str, str], commits: tuple[str | None, str | None], root: Path = ROOT
) -> list[ModuleDifference]:
    """Modules whose digests differ, sorted by name.

    Args:
        a: module -> digest of its parsed code, and data file -> sha256, as recorded for A; ``b`` likewise.
        commits: the recorded commits of A and B.
    """
    found = []
    for module in sorted(a.keys() | b.keys()):
        if module not in b:
            found.append(ModuleDifference(module, "only in A", ()))
        elif module not in a:
            found.append(ModuleDifference(module, "only in B", ()))
        elif a[module] != b[module] and "/" in module:  # a data file of the stage
            found.append(ModuleDifference(module, "changed", ("its bytes",)))
        elif a[module] != b[module]:
            texts = [
                module_text(module, one[module], commit, root) for one, commit in ((a, commits[0]), (b, commits[1]))
            ]
            names = None if None in texts else changed_names(*(text or "" for text in texts))
            found.append(ModuleDifference(module, "changed", names))
    return found


def module_text(module: str, digest: str, commit: str | None, root: Path = ROOT) -> str | None:
    """Source of a module with this digest: today's file, else that of ``commit``; None when neither has it."""
    base = Path(*module.split("."))
    for path in (base.with_suffix(".py"), base / INIT):
        for text in (_file(root / path), _committed(root, commit, path)):
            if text is not None and text_digest(text) == digest:
                return text
    return None


def text_digest(text: str) -> str | None:
    """Digest of a module's parsed code, as the run record holds it; None for what is no Python."""
    try:
        return hashlib.sha256(canonical_code(_parsed(text)).encode()).hexdigest()
    except SyntaxError:
        return None


def _parsed(text: str) -> ast.Module:
    return without_facts(ast.parse(text))


def _file(path: Path) -> str | None:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError):
        return None


def _committed(root: Path, commit: str | None, path: Path) -> str | None:
    if commit is None:
        return None
    command = ["git", "-c", f"safe.directory={root}", "-C", str(root), "show", f"{commit}:./{path.as_posix()}"]
    try:
        answer = subprocess.run(command, capture_output=True, timeout=20, check=False)
        return answer.stdout.decode() if answer.returncode == 0 else None
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return None


def changed_names(a: str, b: str) -> tuple[str, ...]:
    """Functions, methods and classes whose code differs between two texts of a module; the rest as one name.

    A removed one has `` (only in A)`` after its name, a new one `` (only in B)``.
    """
    ours, theirs = _definitions(_parsed(a)), _definitions(_parsed(b))
    names = []
    for name in [*ours, *(name for name in theirs if name not in ours)]:
        if name not in theirs:
            names.append(f"{name} (only in A)")
        elif name not in ours:
            names.append(f"{name} (only in B)")
        elif ours[name] != theirs[name]:
            names.append(name)
    return tuple(names)


def _definitions(tree: ast.Module | ast.ClassDef, prefix: str = "") -> dict[str, str]:
    """Name -> canonical code; what stands outside functions and methods goes under its class or the module."""
    found: dict[str, str] = {}
    rest: list[str] = []
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            found |= _definitions(node, f"{prefix}{node.name}.")
        elif isinstance(node, Definition):
            found[f"{prefix}{node.name}()"] = canonical_code(node)
        elif not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
            rest.append(canonical_code(node))
    if isinstance(tree, ast.ClassDef):
        rest += [canonical_code(one) for one in (*tree.bases, *tree.keywords, *tree.decorator_list)]
    return found | {prefix.rstrip(".") or MODULE_LEVEL: "\n".join(rest)}
