"""The code digest: what counts as a change of meaning, and what is in a stage's closure."""

import ast
import re
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

from workflow_scripts.core import digest, pinned_code
from workflow_scripts.core.errors import PipelineError

STAGES = sorted(path.stem for path in (digest.ROOT / "workflow_scripts" / "stages").glob("[a-z]*.py"))
BASE = 'def f(x: int) -> str:\n    """Doc."""\n    return f"{x!r:>{4}} and {x + 1}"\n'


def meaning(source: str) -> str:
    return digest.canonical_code(ast.parse(source))


@pytest.mark.parametrize(
    "same",
    [
        "# a comment\n" + BASE,
        BASE.replace('"""Doc."""', '"""Other words."""'),
        BASE.replace("(x: int)", "(\n    x: int,\n)"),
        BASE.replace('    """Doc."""\n', ""),
        '"""A module docstring."""\n' + BASE,
        BASE + '"""Of an attribute."""\n',
    ],
)
def test_comments_docstrings_and_formatting_do_not_change_the_digest(same: str) -> None:
    assert meaning(same) == meaning(BASE)


@pytest.mark.parametrize(
    "other",
    [
        BASE.replace("x + 1", "x + 2"),
        BASE.replace("x + 1", "x + 1.0"),
        BASE.replace("x + 1", "x - 1"),
        BASE.replace("!r", "!s"),
        BASE.replace("def f", "async def f"),
        BASE.replace("return", "yield"),
        BASE.replace('return f"', 'return "" or f"'),
        BASE + "\n\ng = f\n",
    ],
)
def test_changes_of_meaning_change_the_digest(other: str) -> None:
    assert meaning(other) != meaning(BASE)


def test_the_canonical_form_of_code_is_pinned() -> None:
    """The same on every Python: a change of this value makes every artifact be computed again."""
    assert meaning("x: int = 1\n").replace(" ", "") == (
        "(Modulebody=[(AnnAssigntarget=(Nameid=str:'x')annotation=(Nameid=str:'int')"
        "value=(Constantvalue=int:1)simple=int:1)])"
    )


@pytest.mark.parametrize("stage", STAGES)
def test_closure_holds_the_stage_and_leaves_out_what_never_changes_bytes(stage: str) -> None:
    closure = digest.stage_closure(stage)
    assert f"workflow_scripts.stages.{stage}" in closure
    # Python's own loader loads the two packages, perhaps from compiled code of an earlier version.
    assert not set(closure) & (digest.NEVER_CHANGES_BYTES | {"workflow_scripts", "workflow_scripts.core"})
    assert not [name for name in closure if name.startswith("workflow_scripts.commands")]


def test_closure_follows_imports_inside_functions() -> None:
    assert "workflow_scripts.captions.arms.revised" in digest.stage_closure("select_captions")
    assert "workflow_scripts.captions.arms.revised" not in digest.stage_closure("pretrain")


def test_list_of_left_out_modules_is_short_and_real() -> None:
    for name in digest.NEVER_CHANGES_BYTES:
        assert digest.module_path(name).is_file(), name
    assert len(digest.NEVER_CHANGES_BYTES) <= 17


Write = Callable[[dict[str, str]], Path]


@pytest.fixture
def write(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Write]:
    """Writes files of a project; the digest is then that of this project."""

    def files(texts: dict[str, str]) -> Path:
        for name, text in texts.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        digest.code_digest.cache_clear()
        digest._module.cache_clear()
        digest._data.clear()
        pinned_code._sources.clear()
        return tmp_path

    monkeypatch.setattr(digest, "ROOT", tmp_path)
    yield files
    files({})


def closure(write: Write, files: dict[str, str]) -> set[str]:
    """Closure of a stage ``draw`` of the package with these files, names without the package."""
    write({f"workflow_scripts/{name}": text for name, text in files.items()})
    return {name.removeprefix("workflow_scripts").lstrip(".") for name in digest.stage_closure("draw")}


def test_a_stage_with_a_format_has_it_as_its_digest(write: Write) -> None:
    write({"workflow_scripts/stages/fetch.py": "STAGE = Stage(format=3)\n"})
    assert digest.code_digest("fetch") == "format-3"
    write({"workflow_scripts/stages/fetch.py": "STAGE: Stage[Settings] = Stage(format=4)\n"})
    assert digest.code_digest("fetch") == "format-4"


def test_data_files_in_subfolders_and_hidden_files_count(write: Write) -> None:
    names = ["one.html", "pages/.hidden", "pages/a.html", "pages/parts/b.html", "pages/parts/.c/d"]
    write({"workflow_scripts/stages/page.py": 'STAGE = Stage(data_files=("one.html", "pages"))\n'})
    write(dict.fromkeys(names, "one"))
    assert set(digest.code_parts("page")) - {"workflow_scripts.stages.page"} == set(names)
    seen = {digest.code_digest("page")}
    for count, name in enumerate(names, 2):
        write({name: "two"})
        seen.add(digest.code_digest("page"))
        assert len(seen) == count, name


@pytest.mark.parametrize("stage", STAGES)
def test_a_parsed_declaration_equals_the_imported_declaration(stage: str) -> None:
    made = getattr(import_module(f"workflow_scripts.stages.{stage}"), "STAGE", None)
    known = {} if made is None else {"format": made.format, "data_files": list(made.data_files)}
    assert digest._declared(stage) == {name: value for name, value in known.items() if value}


def test_code_of_parent_packages_is_in_the_closure(write: Write) -> None:
    files = {
        "stages/draw.py": "import workflow_scripts.shapes.square\n",
        "shapes/square.py": "CORNERS = 4\n",
        "shapes/__init__.py": '"""Shapes."""\n',
        "stages/__init__.py": "",
        "__init__.py": "from workflow_scripts import colours\n",
        "colours.py": "RED = 1\n",
    }
    assert closure(write, files) == {"stages.draw", "shapes.square", "", "colours"}
    files["shapes/__init__.py"] = "from .circle import CORNERS\n"
    files["shapes/circle.py"] = "CORNERS = 0\n"
    assert closure(write, files) == {"stages.draw", "shapes.square", "", "colours", "shapes", "shapes.circle"}


def test_imports_of_excluded_modules_do_not_count_as_code(write: Write) -> None:
    files = {"stages/draw.py": "SIDES = 4\n", "__init__.py": '"""A package."""\nimport workflow_scripts.core.errors\n'}
    assert closure(write, files | {"core/errors.py": "KIND = 1\n"}) == {"stages.draw"}
    files["__init__.py"] += "SIDES = 3\n"
    assert closure(write, files) == {"stages.draw", ""}


@pytest.mark.parametrize(
    "call",
    [
        'from r import discover\nSHAPES = discover("workflow_scripts.kinds", Shape)',
        'import r\nSHAPES = r.discover("workflow_scripts.kinds", Shape)',
        'import r\nSHAPES = r.discover(kind=Shape, package="workflow_scripts.kinds")',
    ],
)
def test_members_that_a_registry_discovers_count(write: Write, call: str) -> None:
    files = {
        "stages/draw.py": f"{call}\n",
        "kinds/__init__.py": "from workflow_scripts import sides\n",
        "kinds/square.py": "from workflow_scripts import corners\n",
        "kinds/round/__init__.py": "RADIUS = 1\n",
        "corners.py": "CORNERS = 4\n",
        "sides.py": "SIDES = 4\n",
    }
    assert closure(write, files) == {"stages.draw", "kinds", "sides", "kinds.square", "kinds.round", "corners"}


@pytest.mark.parametrize(
    "call",
    [
        "PLACE = 'workflow_scripts.kinds'\nSHAPES = discover(PLACE, Shape)",
        "SHAPES = discover(*WORDS)",
        "SHAPES = discover(kind=Shape, **WORDS)",
        "find = discover\nSHAPES = find('workflow_scripts.kinds', Shape)",
        "SHAPES = partial(registry.discover, 'workflow_scripts.kinds')(Shape)",
        "from r import discover as find\nSHAPES = find('workflow_scripts.kinds', Shape)",
        "def shapes():\n    return discover('workflow_scripts.kinds', Shape)",
    ],
)
def test_a_registry_of_unknown_members_is_an_error(write: Write, call: str) -> None:
    with pytest.raises(PipelineError, match=r"unclear use of a registry in .*draw\.py: discover; call it by this name"):
        closure(write, {"stages/draw.py": call, "kinds/square.py": ""})


ROWS = """
def _round(name):
    return _shape(name, 0)
def _shape(name, corners):
    return Shape(name=name, corners=corners)
SHAPES = by_name([Shape(name="square", corners=4), _round("circle"), Shape(name="flat", draw=_flat)])
def _flat(): from workflow_scripts import paper
"""


def test_of_a_registry_in_a_module_the_rows_that_are_used_count_with_what_they_need(write: Write) -> None:
    def uses(name: str) -> digest.Uses:
        return digest.uses_of({"stages.draw": [name]})

    def codes(text: str) -> list[str]:
        write({"workflow_scripts/stages/draw.py": text, "workflow_scripts/paper.py": "SIZE = 4\n"})
        return [digest.code_digest("draw", uses(name)) for name in ("square", "circle", "flat")]

    before = codes(ROWS)
    assert len(set(before)) == 3
    edits = {
        "corners=4": (True, False, False),
        "def _round(name):\n": (False, True, False),
        "def _shape(name, corners):\n": (False, True, False),
        "def _flat(): ": (False, False, True),
        "SHAPES = by_name([": (False, False, False),
    }
    new = {"corners=4": "corners=5", "SHAPES = by_name([": 'SHAPES = by_name([Shape(name="new"), '}
    for edited, changed in edits.items():
        after = codes(ROWS.replace(edited, new.get(edited, f"{edited}    pass; ")))
        assert tuple(one != other for one, other in zip(before, after, strict=True)) == changed, edited
    assert "workflow_scripts.paper" in digest.stage_closure("draw", uses("flat"))
    assert "workflow_scripts.paper" not in digest.stage_closure("draw", uses("circle"))


@pytest.mark.parametrize(
    "listing",
    ['[Shape("a"), Shape("a", 2)]', "[Shape(NAME)]", '[Shape("a"), OTHER]', '(Shape("a"),)', '[*ROWS, Shape("b")]'],
)
def test_rows_without_names_of_their_own_stay_in_the_module(listing: str) -> None:
    tree = ast.parse(f"SHAPES = by_name({listing})")
    assert digest.without_rows(tree) == (tree, {})


STAGE = """
from workflow_scripts.core.declaration.facts import Cost, Facts
from workflow_scripts.core.runtime.stage import Stage
from elsewhere import shared, rate


class Small(Settings):
    lr: float = quantity(0.1, unit="1", gt=0, examples=[0.2])
    '''Rate.'''


def small(job):
    return shared


STAGE = Stage(run=small, settings=Small, artifact="x", packages=("numpy",))
FACTS = Facts(cost=Cost(core_ms=rate(1), per="row"), disk=lambda load: shared, group="page")
"""


def stage_meaning(source: str) -> str:
    return digest.canonical_code(digest.without_facts(ast.parse(source)))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("core_ms=rate(1)", "core_ms=rate(2)"),
        ("lambda load: shared", "lambda load: 3"),
        ('group="page"', "minutes=9, memory_mb=5"),
        ('unit="1", gt=0, examples=[0.2]', 'unit="per step", gt=0'),
        ("Rate.", "Learning rate."),
        ("import shared, rate", "import shared"),
        ("from workflow_scripts.core.declaration.facts import Cost, Facts\n", ""),
    ],
)
def test_estimates_and_descriptions_do_not_change_the_stage_digest(old: str, new: str) -> None:
    assert old in STAGE
    assert stage_meaning(STAGE.replace(old, new)) == stage_meaning(STAGE)


@pytest.mark.parametrize(
    ("old", "new"),
    [("0.1", "0.3"), ("gt=0", "ge=0"), ('("numpy",)', '("numpy", "scipy")'), ("import shared", "import shared as s")],
)
def test_settings_and_declarations_count(old: str, new: str) -> None:
    assert stage_meaning(STAGE.replace(old, new, 1)) != stage_meaning(STAGE)


REGISTRY = re.compile(r"^([A-Z_]+) = (?:by_name|discover)\(", re.MULTILINE)
PRINTED = {"Figure", "MapKind", "Score"}  # the report prints what figures, maps and scores say


def test_summaries_of_registry_entries_are_skipped_unless_a_stage_prints_them() -> None:
    kinds = set()
    for path in (digest.ROOT / digest.PACKAGE).rglob("*.py"):
        for name in REGISTRY.findall(path.read_text()):
            module = import_module(".".join(path.relative_to(digest.ROOT).with_suffix("").parts))
            kinds |= {type(entry).__name__ for entry in getattr(module, name).values()}
    assert len(kinds) >= 11
    assert kinds - {name for name, skipped in digest.SKIPPED_KEYWORDS.items() if "summary" in skipped} == PRINTED
    assert {*digest.SUMMARISED} <= kinds


@pytest.mark.parametrize("kind", digest.SUMMARISED)
def test_the_digest_depends_on_the_name_of_an_entry_but_not_its_summary(kind: str) -> None:
    entry = f'{kind}(name="a", summary="one")'
    assert meaning(entry.replace("one", "two")) == meaning(entry)
    assert meaning(entry.replace('"a"', '"b"')) != meaning(entry)


@cache
def mentions_facts(module: str) -> bool:
    tree = digest.without_facts(ast.parse(digest.module_path(module).read_bytes()))
    return any(getattr(node, "id", getattr(node, "attr", "")) == "FACTS" for node in ast.walk(tree))


@pytest.mark.parametrize("stage", STAGES)
def test_nothing_is_computed_from_facts(stage: str) -> None:
    closure = digest.stage_closure(stage)
    assert "workflow_scripts.core.declaration.facts" not in closure
    assert not any(mentions_facts(name.partition(":")[0]) for name in closure)


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ('x = Field(1, description="one")', 'x = Field(1, description="1", examples=[2])', True),
        ('x = Field(1, description="one")', 'x = Field(2, description="one")', False),
        ('x = quantity(1, unit="px")', 'x = quantity(1, unit="pixels")', True),
        ("x = Backbone(features=2, forward_gflop=1.0)", "x = Backbone(features=2, forward_gflop=2.0)", True),
        ("x = Backbone(features=2, forward_gflop=1.0)", "x = Backbone(features=3, forward_gflop=1.0)", False),
        ('x = DownstreamSet(licence="MIT")', 'x = DownstreamSet(licence="not stated")', True),
        ('x = DownstreamSet(metric="accuracy")', 'x = DownstreamSet(metric="mean_per_class")', False),
        ("x = Other(licence=1)", "x = Other(licence=2)", False),
    ],
)
def test_descriptions_and_costs_that_no_stage_reads_do_not_count(first: str, second: str, same: bool) -> None:
    assert (meaning(first) == meaning(second)) == same


def test_no_stage_reads_what_the_digest_skips() -> None:
    words = {called: words for called, words in digest.SKIPPED_KEYWORDS.items() if called not in ("Field", "quantity")}
    skipped = set().union(*words.values()) - {"summary"}
    modules = {name.partition(":")[0] for stage in STAGES for name in digest.stage_closure(stage)}
    trees = [digest.without_facts(ast.parse(digest.module_path(name).read_bytes())) for name in sorted(modules)]
    read = {node.attr for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert not read & skipped
