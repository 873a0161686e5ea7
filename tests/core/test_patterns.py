"""Every regular expression of the package takes linear time on any text."""

import ast
import math
import re
from collections.abc import Iterator
from importlib import import_module
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest

import workflow_scripts
from tests.core.regex_steps import MOST_STEPS, SCANS, Counted, Text, hard_texts
from workflow_scripts.acquisition.annotations import rows as masking

PACKAGE = Path(workflow_scripts.__file__).parent
SIZE, TIMES = 60, 4
METHODS = {*SCANS, "match", "fullmatch"}


def modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
        yield name.removesuffix(".__init__"), ast.parse(path.read_bytes())


def is_compile(node: ast.AST | None) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func) == "re.compile"


def constants(tree: ast.Module) -> list[str]:
    """Names of the patterns that a module compiles when it is loaded."""
    found = [node.targets[0] for node in tree.body if isinstance(node, ast.Assign) and is_compile(node.value)]
    return [target.id for target in found if isinstance(target, ast.Name)]


def patterns() -> dict[str, set[str]]:
    """``module:NAME`` of every pattern, and the methods that are called on it, in its own module and where imported."""
    trees = dict(modules())
    found: dict[str, set[str]] = {f"{name}:{one}": set() for name, tree in trees.items() for one in constants(tree)}
    for name, tree in trees.items():
        known = {one: f"{name}:{one}" for one in constants(tree)}
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                known |= {alias.asname or alias.name: f"{node.module}:{alias.name}" for alias in node.names}
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and node.attr in METHODS:
                for used in (one.id for one in ast.walk(node.value) if isinstance(one, ast.Name)):
                    found.get(known.get(used, ""), set()).add(node.attr)
    return found


def compiled(place: str) -> re.Pattern[Any]:
    module, _, name = place.partition(":")
    pattern = getattr(import_module(module), name)
    assert isinstance(pattern, re.Pattern)
    return pattern


def steps(counted: Counted, method: str, text: Text) -> int:
    before = counted.steps
    counted.spans(method, text)
    return counted.steps - before


def slowest(pattern: re.Pattern[Any], method: str) -> tuple[float, Text]:
    """The largest growth of steps for :data:`TIMES` the text, and a start of that text."""
    small, large = (hard_texts(Counted(pattern), size, seed=0) for size in (SIZE, TIMES * SIZE))
    counted = Counted(pattern)
    growth = []
    for short, long in zip_longest(small, large):
        taken = [steps(counted, method, text) for text in (short, long)]
        growth.append((taken[1] / (taken[0] + 50) if taken[1] < MOST_STEPS else math.inf, long[:30]))
        if growth[-1][0] > 1.5 * TIMES:
            break
    return max(growth)


def test_every_pattern_is_a_constant_of_its_module() -> None:
    """So that the next test finds it. A pattern in a function, or one that ``re`` compiles on the way, is not found."""
    for name, tree in modules():
        allowed = {node.value for node in tree.body if isinstance(node, ast.Assign) and is_compile(node.value)}
        for node in ast.walk(tree):
            assert not (isinstance(node, ast.ImportFrom) and node.module == "re"), name
            if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("re."):
                assert node in allowed or ast.unparse(node.func) == "re.escape", f"{name}:{node.lineno}"


@pytest.mark.parametrize("place", patterns())
def test_every_pattern_is_linear(place: str) -> None:
    methods = patterns_used[place]
    assert methods, "no method of it is called"
    for method in sorted(methods):
        growth, text = slowest(compiled(place), method)
        assert growth < 1.5 * TIMES, f"{method} takes {growth:.1f} times the steps for {TIMES} times {text!r}..."


patterns_used = patterns()


@pytest.mark.parametrize(
    ("pattern", "method"),
    [
        (r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+", "sub"),
        (r"\b[\w-]+\.(?:com|org)\b", "search"),
        (r"(?:file:)?[/~].*?([^/]*)/?", "fullmatch"),
        (r"(.*)\{(\d+)\.\.(\d+)\}(.*)", "fullmatch"),
        (r"\s+$", "search"),
        (r"(a|b|ab)*c", "match"),
    ],
)
def test_slow_patterns_are_found(pattern: str, method: str) -> None:
    assert slowest(re.compile(pattern), method)[0] > 1.5 * TIMES


def test_the_counting_engine_finds_what_pythons_does() -> None:
    for place, methods in patterns_used.items():
        pattern, counted = compiled(place), Counted(compiled(place))
        for text in hard_texts(counted, 24, seed=1):
            for method in methods & {"match", "fullmatch", "search"}:
                found = getattr(pattern, method)(text)
                assert counted.spans(method, text) == ([found.span()] if found else []), (place, text)
            if methods & {"sub", "findall", "finditer"}:
                assert counted.spans("findall", text) == [one.span() for one in pattern.finditer(text)], (place, text)


class Searched(Counted):
    """In the place of a compiled pattern: finds by the counting engine."""

    def match(self, text: str, place: int) -> "Found | None":
        end = self.at(text, place)
        return None if end is None else Found(place, end)

    def search(self, text: str, place: int) -> "Found | None":
        return next((one for start in range(place, len(text) + 1) if (one := self.match(text, start))), None)


class Found:
    def __init__(self, start: int, end: int) -> None:
        self.start, self.end = lambda: start, lambda: end


def test_masking_a_title_is_linear(monkeypatch: pytest.MonkeyPatch) -> None:
    """It calls two patterns in turn, from one name to the next."""
    whole, rest = masking._NAMES, masking._REST
    shapes = [hard_texts(Counted(whole), size, seed=2, examples=100) for size in (SIZE, TIMES * SIZE)]
    for short, long in zip_longest(*shapes):
        taken = []
        for text in (short, long):
            engines = [Searched(whole), Searched(rest)]
            monkeypatch.setattr(masking, "_NAMES", engines[0])
            monkeypatch.setattr(masking, "_REST", engines[1])
            masking.mask(text)
            taken.append(sum(engine.steps for engine in engines))
        assert taken[1] < 1.5 * TIMES * (taken[0] + 50), long[:30]
