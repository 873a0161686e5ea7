"""The import contract of ``.importlinter`` holds, and breaking it fails ``make check``."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LINT = Path(sys.executable).parent / "lint-imports"
PACKAGE = "workflow_scripts"
MOST_FILES = 15
ONE_FILE_EACH = ("stages", "commands", "sets")  # one file per stage, sub-command, downstream set


def lint(root: Path) -> subprocess.CompletedProcess[str]:
    environment = {"PYTHONPATH": str(root), "PATH": "/usr/bin:/bin"}
    command = [LINT, "--no-cache", "--no-logo"]
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)


def test_modules_import_only_what_lies_below_them():
    result = lint(ROOT)
    assert result.returncode == 0, result.stdout


UNWANTED = {
    "core.errors.text": "study.units",
    "stats.intervals": "models.backbones",
    "embeddings.text": "captions.table",
    "study.units": "commands.errors",
    "audit.audit": "removal.store",
}


def test_upward_and_sideways_imports_are_reported(tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(ROOT / PACKAGE, copy / PACKAGE, ignore=lambda folder, names: [n for n in names if not _source(n)])
    shutil.copy(ROOT / ".importlinter", copy)
    for importer, imported in UNWANTED.items():
        module = (copy / PACKAGE / importer.replace(".", "/")).with_suffix(".py")
        module.write_text(f"{module.read_text()}\n\ndef late():\n    import {PACKAGE}.{imported}\n")

    result = lint(copy)

    assert result.returncode == 1
    for importer, imported in UNWANTED.items():
        assert f"{PACKAGE}.{importer} -> {PACKAGE}.{imported}" in result.stdout


def _source(name: str) -> bool:
    return name.endswith(".py") or "." not in name


def test_folders_hold_a_handful_of_files():
    folders = [path for path in (ROOT / PACKAGE).rglob("*") if path.is_dir() and path.name not in ONE_FILE_EACH]
    sizes = {path.name: len(list(path.glob("[!_]*.py"))) for path in folders}
    assert {path: size for path, size in sizes.items() if size > MOST_FILES} == {}


def test_nothing_is_unpacked_only_to_save_lines() -> None:
    """No ``*(...)`` or ``**{...}`` of literals inside a display or a call; ruff's PIE800 covers dicts in dicts."""
    literals = (ast.Tuple, ast.List, ast.Set)
    unpacked = []
    for path in [*(ROOT / PACKAGE).rglob("*.py"), *(ROOT / "tests").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            items = node.args if isinstance(node, ast.Call) else node.elts if isinstance(node, literals) else []
            keywords = node.keywords if isinstance(node, ast.Call) else []
            if any(isinstance(item, ast.Starred) and isinstance(item.value, literals) for item in items) or any(
                keyword.arg is None and isinstance(keyword.value, ast.Dict) and _is_literal(keyword.value)
                for keyword in keywords
            ):
                unpacked.append(f"{path}:{node.lineno}")
    assert unpacked == []


def _is_literal(display: ast.Dict) -> bool:
    return all(isinstance(key, ast.Constant) and str(key.value).isidentifier() for key in display.keys)
