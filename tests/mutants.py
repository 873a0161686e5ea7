"""Mutation score: `python -m tests.mutants --sample 1000 --seed 0`; needs `pip install cosmic-ray`.

A sample of cosmic-ray's mutants of the code that decides results, each run against the tests that mirror its module or
import it and pass without it, in a copy of the checkout. Mutants of messages, logging, type hints and decorators are
left out before. Survivors are printed: for each, a test is missing, or it is equivalent.
"""

import argparse
import ast
import multiprocessing
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from math import inf
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
MOST, LONGEST = 6, 180  # test files of a mutant, and the seconds of the longest
PRELOADED = ["pytest", "torch", "torchvision", "transformers", "pandas", "pyarrow.dataset", "sklearn", "scipy.stats"]
STARTER = multiprocessing.get_context("forkserver")  # it imports these once, and nothing of the project
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


def mirror_of(path: Path) -> Path:
    """The test file that mirrors a module, which need not exist."""
    inside = path.relative_to(PACKAGE)
    return ROOT / "tests" / inside.with_name(f"test_{inside.name}")


def tests_of(path: Path, most: int) -> list[str]:
    """The test file that mirrors a module, others that import it, and those that mirror a module that imports it.

    Members that a registry finds are imported by none: theirs are in the nearest folder above that has tests.
    """
    package, _, name = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).rpartition(".")
    imports = re.compile(rf"from {package}\.{name} import|from {package} import (\([^)]*|.*)\b{name}\b")
    tests = [test for test in (ROOT / "tests").rglob("test_*.py") if test.relative_to(ROOT).parts[1] not in SLOW]
    using = [test for test in tests if imports.search(test.read_text())]
    above = [mirror_of(module) for module in PACKAGE.rglob("*.py") if imports.search(module.read_text())]
    groups = (sorted(filter(Path.exists, group), key=size) for group in ([mirror_of(path)], using, above))
    beside = (sorted(folder.glob("test_*.py"), key=size) for folder in mirror_of(path).parents)
    found = list(dict.fromkeys(test for group in groups for test in group)) or next(filter(None, beside))
    return [str(test.relative_to(ROOT)) for test in found[:most]]


def size(path: Path) -> int:
    """Bytes of a file."""
    return path.stat().st_size


def run_tests(tree: Path, tests: list[str]) -> None:
    """Run them in a copy of the checkout and exit with pytest's status; the body of a process."""
    import pytest

    os.setsid()
    silence = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(silence, stream)
    for name in [name for name in sys.modules if name.partition(".")[0] in ("tests", "workflow_scripts")]:
        del sys.modules[name]
    os.chdir(tree)
    sys.path[0], sys.dont_write_bytecode = str(tree), True
    os.environ |= {"PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    os._exit(pytest.main(["-x", "-q", "-p", "no:cacheprovider", *tests]))


def passes(tree: Path, tests: list[str], longest: float) -> bool:
    """Whether these tests pass within some seconds."""
    process = STARTER.Process(target=run_tests, args=(tree, tests))
    process.start()
    process.join(longest)
    if process.exitcode is None and process.pid:
        os.killpg(process.pid, signal.SIGKILL)
        process.join()
    return process.exitcode == 0


def survives(mutant: Mutant, tree: Path, tests: list[str], longest: float) -> bool:
    """Whether the tests pass with it, in a copy of the checkout."""
    from cosmic_ray.mutating import mutate_code
    from cosmic_ray.plugins import get_operator

    target, code = tree / mutant.path.relative_to(ROOT), mutant.path.read_text()
    target.write_text(mutate_code(code, get_operator(mutant.operator)(), mutant.number))
    try:
        return passes(tree, tests, longest)
    finally:
        target.write_text(code)


def shown(mutant: Mutant) -> str:
    """Where it is, and the line as it was."""
    line = mutant.path.read_text().splitlines()[mutant.line - 1].strip()
    return f"{mutant.path.relative_to(ROOT)}:{mutant.line} {mutant.operator} {mutant.number}: {line}"


def sampled(wanted: int, seed: int) -> tuple[list[Mutant], int]:
    """Mutants chosen by the seed, and among how many places."""
    chance, places = random.Random(seed), defaultdict[tuple[Path, str, int], list[Mutant]](list)
    for mutant in mutants():  # an operator has up to twelve replacements: one of them for each place
        places[mutant.path, mutant.operator.rpartition("_")[0], mutant.number].append(mutant)
    every = [chance.choice(members) for members in places.values()]
    return chance.sample(every, min(wanted, len(every))), len(every)


class Copies:
    """Copies of the checkout, each for one process at a time."""

    def __init__(self, folder: Path, number: int) -> None:
        self._free: Queue[Path] = Queue()
        ignored = shutil.ignore_patterns(".git", ".venv", "results", ".snakemake", "generated", ".*_cache")
        for tree in (folder / str(each) for each in range(number)):
            shutil.copytree(ROOT, tree, ignore=ignored, symlinks=True)
            self._free.put(tree)

    @contextmanager
    def lent(self) -> Iterator[Path]:
        """A copy that no other process uses meanwhile."""
        tree = self._free.get()
        try:
            yield tree
        finally:
            self._free.put(tree)


def seconds(copies: Copies, test: str) -> float:
    """How long a test file takes without a mutant; infinite if it fails, as it then tells nothing."""
    with copies.lent() as tree:
        start = time.monotonic()
        return time.monotonic() - start if passes(tree, [test], LONGEST) else inf


def campaign(wanted: int, seed: int, processes: int, again: Path | None = None) -> float:
    """Try a sample, print survivors and the score, and return it.

    Args:
        again: what a campaign printed; its survivors are tried instead, with more tests, those in lines that have
            not changed since.
    """
    (chosen, number), most = sampled(wanted, seed), MOST
    if again is not None:
        most = 3 * MOST
        survived = set(again.read_text().splitlines())
        chosen = [mutant for mutant in mutants() if f"survived: {shown(mutant)}" in survived]
    STARTER.set_forkserver_preload(PRELOADED)
    survivors: Counter[bool] = Counter()
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(processes) as pool:
        copies = Copies(Path(scratch), processes)
        files = {path: tests_of(path, most) for path in {mutant.path for mutant in chosen}}
        tests = sorted({test for members in files.values() for test in members})
        took = dict(zip(tests, pool.map(partial(seconds, copies), tests), strict=True))
        sys.stdout.write(
            "".join(f"left out, as it fails without a mutant: {test}\n" for test in tests if took[test] == inf)
        )

        def look(mutant: Mutant) -> bool:
            usable = sorted((test for test in files[mutant.path] if took[test] < inf), key=took.__getitem__)
            longest = 30 + 5 * sum(took[test] for test in usable)  # more is an endless loop
            with copies.lent() as tree:
                return not usable or survives(mutant, tree, usable, longest)

        for mutant, alive in zip(chosen, pool.map(look, chosen), strict=True):
            survivors[alive] += 1
            if alive:
                sys.stdout.write(f"survived: {shown(mutant)}\n")
                sys.stdout.flush()
    killed = survivors[False]
    interval = binomtest(killed, len(chosen)).proportion_ci(method="wilson")
    sys.stdout.write(
        f"{killed} of {len(chosen)} killed, {killed / len(chosen):.1%} [{interval.low:.1%}, {interval.high:.1%}], "
        f"of {number} places\n"
    )
    return killed / len(chosen)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--sample", type=int, default=1000, help="mutants to try")
    parser.add_argument("--seed", type=int, default=0, help="which ones")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="at a time")
    parser.add_argument("--again", type=Path, help="what this command printed: try only its survivors")
    args = parser.parse_args()
    sys.exit(campaign(args.sample, args.seed, args.processes, args.again) < 0.85)
