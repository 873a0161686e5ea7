"""Registries find their entries, refuse bad ones, and give settings their choices."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import TypeAdapter, ValidationError

from workflow_scripts.core.registry import OneOf, by_name, discover, listed

ENTRY = "from tests.core.test_registry import Shape\nSHAPE = Shape({!r}, 'it has {} corners')\n"


@dataclass(frozen=True)
class Shape:
    name: str
    summary: str


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An importable package without modules, named after the test's folder."""
    folder = tmp_path / f"shapes_{tmp_path.name}".replace("-", "_")
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    return folder


def test_each_module_of_a_package_is_an_entry(package: Path) -> None:
    for name, corners in (("square", 4), ("circle", 0)):
        (package / f"{name}.py").write_text(ENTRY.format(name, corners))
    (package / ".#square.py").write_text("an editor's lock file")
    shapes = discover(package.name, Shape)
    assert shapes == {"circle": Shape("circle", "it has 0 corners"), "square": Shape("square", "it has 4 corners")}
    assert listed(shapes) == "circle: it has 0 corners; square: it has 4 corners"


def test_a_package_can_be_a_registry_entry(package: Path) -> None:
    (package / "square").mkdir()
    (package / "square/__init__.py").write_text(ENTRY.format("square", 4))
    (package / "__pycache__").mkdir()
    (package / "README.md").write_text("no code")
    assert list(discover(package.name, Shape)) == ["square"]
    (package / "circle").mkdir()
    (package / "circle/circle.py").write_text(ENTRY.format("circle", 0))
    with pytest.raises(ValueError, match="circle must define one Shape named circle; it defines none"):
        discover(package.name, Shape)


@pytest.mark.parametrize("name", ["my-square.py", "my-shapes/square.py", "square copy.py"])
def test_code_that_can_not_be_imported_is_refused(package: Path, name: str) -> None:
    (package / name).parent.mkdir(exist_ok=True)
    (package / name).write_text(ENTRY.format("square", 4))
    with pytest.raises(ValueError, match=rf"holds code that can't be imported: {name.split('/')[0].split('.')[0]};"):
        discover(package.name, Shape)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "it defines none"),
        (ENTRY.format("other", 3), "it defines other"),
        (ENTRY.format("square", 4) + "AGAIN = Shape('more', '')\n", "it defines square, more"),
    ],
)
def test_a_module_without_its_entry_is_refused(package: Path, text: str, found: str) -> None:
    (package / "square.py").write_text(text)
    with pytest.raises(ValueError, match=f"square must define one Shape named square; {found}"):
        discover(package.name, Shape)


def test_repeated_names_in_a_registry_are_refused() -> None:
    with pytest.raises(ValueError, match="two entries are named a"):
        by_name([Shape("a", ""), Shape("b", ""), Shape("a", "")])


def test_choices_are_checked_and_described_as_those_of_a_literal() -> None:
    ours, literal = TypeAdapter(Annotated[str, OneOf(["a", "b"])]), TypeAdapter(Literal["a", "b"])
    assert ours.validate_python("b") == "b"
    assert ours.json_schema() == literal.json_schema()
    for value in ("c", 1, None):
        found = []
        for adapter in (ours, literal):
            with pytest.raises(ValidationError) as error:
                adapter.validate_python(value)
            found.append(error.value.errors(include_url=False))
        assert found[0] == found[1]
