"""Every regular expression of the package takes linear time on any text."""

import ast
import re
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import workflow_scripts
from tests.core.regex_texts import Text, is_slow, shapes_of
from workflow_scripts.acquisition.annotations import rows as masking

PACKAGE = Path(workflow_scripts.__file__).parent
METHODS = {"match", "fullmatch", "search", "sub", "subn", "findall", "finditer", "split"}


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


def call(pattern: re.Pattern[Any], method: str) -> Callable[[Text], object]:
    """The method on a text: ``finditer`` to its end, ``sub`` and ``subn`` by nothing."""
    empty = pattern.pattern[:0]
    if method in ("sub", "subn"):
        return lambda text: getattr(pattern, method)(empty, text)
    return lambda text: list(pattern.finditer(text)) if method == "finditer" else getattr(pattern, method)(text)


def test_every_pattern_is_a_constant_of_its_module() -> None:
    """So that the next test finds it. A pattern in a function, or one that ``re`` compiles on the way, is not found."""
    for name, tree in modules():
        allowed = {node.value for node in tree.body if isinstance(node, ast.Assign) and is_compile(node.value)}
        for node in ast.walk(tree):
            assert not (isinstance(node, ast.ImportFrom) and node.module == "re"), name
            if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("re."):
                assert node in allowed or ast.unparse(node.func) == "re.escape", f"{name}:{node.lineno}"


@pytest.mark.parametrize("place", patterns())
def test_every_pattern_runs_in_linear_time(place: str) -> None:
    methods = patterns_used[place]
    assert methods, "no method of it is called"
    for method in sorted(methods):
        text = is_slow(call(compiled(place), method), shapes_of(compiled(place), seed=0))
        assert text is None, f"{method} is slow on {text!r}..."


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
def test_slow_patterns_are_detected(pattern: str, method: str) -> None:
    assert is_slow(call(re.compile(pattern), method), shapes_of(re.compile(pattern), seed=0)) is not None


def test_masking_a_title_is_linear() -> None:
    """It calls two patterns in turn, from one name to the next."""
    assert is_slow(lambda text: masking.mask(str(text)), shapes_of(masking._NAMES, seed=2)) is None
