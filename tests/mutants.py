"""Mutation score: `python -m tests.mutants --sample 1000 --seed 0`; needs `pip install cosmic-ray`.

A sample of cosmic-ray's mutants of the code that decides results, each run against the tests that mirror its module or
import it, in a copy of the checkout. Mutants of messages, logging, type hints and decorators are left out before.
Survivors are printed: for each, a test is missing, or it is equivalent.
"""

import argparse
import ast
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Queue
from typing import NamedTuple

from scipy.stats import binomtest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "workflow_scripts"
CODE = (
    "core",
    "stats",
    "pairs",
    "pretraining/losses",
    "evaluation/few_shot.py",
    "evaluation/knn.py",
    "evaluation/linear_probe",
    "evaluation/saliency/scores.py",
    "evaluation/contrasts",
)
SLOW = ("workflow", "slurm", "browser", "bench", "extending", "fuzz")  # not run for a mutant
MOST, LONGEST = 6, 180  # test files of a mutant, and their seconds
IGNORED = ("PipelineError", "SettingError", "log", "progress", "Field", "quantity", "Facts", "TypeVar", "NamedTuple")


class Mutant(NamedTuple):
    """The n-th mutation of a file by an operator of cosmic-ray."""

    path: Path
    operator: str
    number: int
    line: int


def spans(tree: ast.AST) -> set[int]:
    """Lines that hold type hints, errors, logging, declarations or decorators, and nothing to test."""
    lines: set[int] = set()
    for node in ast.walk(tree):
        hints: list[ast.AST | None] = []
        if isinstance(node, ast.arg | ast.AnnAssign):
            hints.append(node.annotation)
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            hints += [*node.decorator_list, node.returns if isinstance(node, ast.FunctionDef) else None]
        if isinstance(node, ast.Raise | ast.Import | ast.ImportFrom | ast.Assert):
            hints.append(node)
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[0] in IGNORED:
            hints.append(node)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            hints.append(node)
        for hint in filter(None, hints):
            lines.update(range(hint.lineno, (hint.end_lineno or hint.lineno) + 1))  # type: ignore[attr-defined]
    return lines


def mutants() -> Iterator[Mutant]:
    """All of them, in order of file, operator and place."""
    from cosmic_ray.ast import ast_nodes, get_ast_from_path
    from cosmic_ray.plugins import get_operator, operator_names

    operators = {name: get_operator(name) for name in operator_names() if "no-op" not in name}
    plain = {name: kind() for name, kind in operators.items() if not kind.arguments()}
    files = [
        path
        for name in CODE
        for path in sorted(PACKAGE.glob(f"{name}/**/*.py") if "." not in name else [PACKAGE / name])
    ]
    for path in files:
        tree, skipped = get_ast_from_path(path), spans(ast.parse(path.read_text()))
        for name, operator in sorted(plain.items()):
            places = [start for node in ast_nodes(tree) for start, _ in operator.mutation_positions(node)]
            for number, (line, _) in enumerate(places):
                if line not in skipped:
                    yield Mutant(path, name, number, line)


def tests_of(path: Path) -> list[str]:
    """The test file that mirrors a module, and others that import it, the shortest first."""
    inside = path.relative_to(PACKAGE)
    module = ".".join(("workflow_scripts", *inside.with_suffix("").parts))
    mirror = ROOT / "tests" / inside.with_name(f"test_{inside.name}")
    tests = [test for test in (ROOT / "tests").rglob("test_*.py") if test.relative_to(ROOT).parts[1] not in SLOW]
    using = [test for test in tests if f"from {module} import" in test.read_text() and test != mirror]
    using.sort(key=lambda test: test.stat().st_size)
    found = [test for test in (mirror, *using) if test.exists()][:MOST]
    return [str(test.relative_to(ROOT)) for test in found or sorted(mirror.parent.glob("test_*.py"))[:MOST]]


def survives(mutant: Mutant, tree: Path) -> bool:
    """Whether the tests pass with it, in a copy of the checkout."""
    from cosmic_ray.mutating import mutate_code
    from cosmic_ray.plugins import get_operator

    target, code = tree / mutant.path.relative_to(ROOT), mutant.path.read_text()
    target.write_text(mutate_code(code, get_operator(mutant.operator)(), mutant.number))
    words = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests_of(mutant.path)]
    try:
        environment = os.environ | {"PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(words, cwd=tree, env=environment, capture_output=True, timeout=LONGEST, check=False)
        return done.returncode == 0
    except subprocess.TimeoutExpired:
        return False
    finally:
        target.write_text(code)


def shown(mutant: Mutant) -> str:
    """Where it is, and the line as it was."""
    line = mutant.path.read_text().splitlines()[mutant.line - 1].strip()
    return f"{mutant.path.relative_to(ROOT)}:{mutant.line} {mutant.operator} {mutant.number}: {line}"


def campaign(wanted: int, seed: int, processes: int) -> float:
    """Try a sample, print survivors and the score, and return it."""
    chance, places = random.Random(seed), defaultdict[tuple[Path, str, int], list[Mutant]](list)
    for mutant in mutants():  # an operator has up to twelve replacements: one of them for each place
        places[mutant.path, mutant.operator.rpartition("_")[0], mutant.number].append(mutant)
    every = [chance.choice(members) for members in places.values()]
    chosen = chance.sample(every, min(wanted, len(every)))
    copies: Queue[Path] = Queue()
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(processes) as pool:
        for number in range(processes):
            tree = Path(scratch, str(number))
            ignored = shutil.ignore_patterns(".git", ".venv", "results", ".snakemake", "generated", ".*_cache")
            shutil.copytree(ROOT, tree, ignore=ignored, symlinks=True)
            copies.put(tree)

        def look(mutant: Mutant) -> bool:
            tree = copies.get()
            try:
                return survives(mutant, tree)
            finally:
                copies.put(tree)

        survivors: Counter[bool] = Counter()
        for mutant, alive in zip(chosen, pool.map(look, chosen), strict=True):
            survivors[alive] += 1
            if alive:
                sys.stdout.write(f"survived: {shown(mutant)}\n")
                sys.stdout.flush()
    killed = survivors[False]
    interval = binomtest(killed, len(chosen)).proportion_ci(method="wilson")
    sys.stdout.write(
        f"{killed} of {len(chosen)} killed, {killed / len(chosen):.1%} [{interval.low:.1%}, {interval.high:.1%}], "
        f"of {len(every)} places\n"
    )
    return killed / len(chosen)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--sample", type=int, default=1000, help="mutants to try")
    parser.add_argument("--seed", type=int, default=0, help="which ones")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="at a time")
    args = parser.parse_args()
    sys.exit(campaign(args.sample, args.seed, args.processes) < 0.85)
