"""The code digest: what counts as a change of meaning, and what is in a stage's closure."""

import ast
import re
from importlib import import_module
from pathlib import Path

import pytest

from workflow_scripts.core import digest

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
    ],
)
def test_comments_docstrings_and_form_do_not_count(same: str) -> None:
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
def test_meaning_counts(other: str) -> None:
    assert meaning(other) != meaning(BASE)


def test_value_is_pinned() -> None:
    """The same on every Python: a change of this value makes every artifact be computed again."""
    assert meaning("x: int = 1\n").replace(" ", "") == (
        "(Modulebody=[(AnnAssigntarget=(Nameid=str:'x')annotation=(Nameid=str:'int')"
        "value=(Constantvalue=int:1)simple=int:1)])"
    )


@pytest.mark.parametrize("stage", STAGES)
def test_closure_holds_the_stage_and_leaves_out_what_never_changes_bytes(stage: str) -> None:
    closure = digest.stage_closure(stage)
    assert f"workflow_scripts.stages.{stage}" in closure
    assert not set(closure) & digest.NEVER_CHANGES_BYTES
    assert not [name for name in closure if name.startswith("workflow_scripts.commands")]


def test_closure_follows_imports_inside_functions() -> None:
    assert "workflow_scripts.captions.arms.revised" in digest.stage_closure("select_captions")
    assert "workflow_scripts.captions.arms.revised" not in digest.stage_closure("pretrain")


def test_list_of_left_out_modules_is_short_and_real() -> None:
    for name in digest.NEVER_CHANGES_BYTES:
        assert digest._module_path(name).is_file(), name
    assert len(digest.NEVER_CHANGES_BYTES) <= 14


def test_data_files_and_formats(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / "workflow_scripts" / "stages"
    folder.mkdir(parents=True)
    monkeypatch.setattr(digest, "ROOT", tmp_path)
    (folder / "fetch.py").write_text("STAGE = Stage(format=3)\n")
    assert digest.code_digest("fetch") == "format-3"
    (tmp_path / "page.html").write_text("one")
    (folder / "page.py").write_text('STAGE = Stage(data_files=("page.html",))\n')
    digest.code_digest.cache_clear()
    first = digest.code_digest("page")
    (tmp_path / "page.html").write_text("two")
    digest.code_digest.cache_clear()
    assert digest.code_digest("page") != first
    digest.code_digest.cache_clear()
    digest._module.cache_clear()


STAGE = """
from workflow_scripts.core.declaration.facts import Cost, Facts
from workflow_scripts.core.declaration.stage import Stage
from elsewhere import shared, rate


class Small(Settings):
    lr: float = Field(0.1, gt=0, description="rate", examples=[0.2], json_schema_extra={"unit": "1"})


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
        ('description="rate", examples=[0.2], json_schema_extra={"unit": "1"}', 'description="learning rate"'),
        ("import shared, rate", "import shared"),
        ("from workflow_scripts.core.declaration.facts import Cost, Facts\n", ""),
    ],
)
def test_facts_and_wording_do_not_count(old: str, new: str) -> None:
    assert old in STAGE
    assert stage_meaning(STAGE.replace(old, new)) == stage_meaning(STAGE)


@pytest.mark.parametrize(
    ("old", "new"),
    [("0.1", "0.3"), ("gt=0", "ge=0"), ('("numpy",)', '("numpy", "scipy")'), ("import shared", "import shared as s")],
)
def test_settings_and_declarations_count(old: str, new: str) -> None:
    assert stage_meaning(STAGE.replace(old, new, 1)) != stage_meaning(STAGE)


REGISTRY = re.compile(r"^([A-Z_]+) = (?:by_name|discover)\(", re.MULTILINE)
PRINTED = {"Score"}  # the report prints evaluation.saliency.scores.explained


def test_summary_of_every_kind_of_entry_is_skipped_or_known_to_be_printed() -> None:
    kinds = set()
    for path in (digest.ROOT / digest.PACKAGE).rglob("*.py"):
        for name in REGISTRY.findall(path.read_text()):
            module = import_module(".".join(path.relative_to(digest.ROOT).with_suffix("").parts))
            kinds |= {type(entry).__name__ for entry in getattr(module, name).values()}
    assert len(kinds) >= 11
    assert kinds - {name for name, skipped in digest.SKIPPED_KEYWORDS.items() if "summary" in skipped} == PRINTED
    assert {*digest.SUMMARISED} <= kinds


@pytest.mark.parametrize("kind", digest.SUMMARISED)
def test_summary_of_an_entry_does_not_count_but_its_name_does(kind: str) -> None:
    entry = f'{kind}(name="a", summary="one")'
    assert meaning(entry.replace("one", "two")) == meaning(entry)
    assert meaning(entry.replace('"a"', '"b"')) != meaning(entry)


@pytest.mark.parametrize("stage", STAGES)
def test_nothing_is_computed_from_facts(stage: str) -> None:
    closure = digest.stage_closure(stage)
    assert "workflow_scripts.core.declaration.facts" not in closure
    for module in closure:
        tree = digest.without_facts(ast.parse(digest._module_path(module).read_bytes()))
        assert not [node for node in ast.walk(tree) if getattr(node, "id", getattr(node, "attr", "")) == "FACTS"], (
            module
        )


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ('x = Field(1, description="one")', 'x = Field(1, description="1", examples=[2])', True),
        ('x = Field(1, description="one")', 'x = Field(2, description="one")', False),
        ("x = Backbone(features=2, forward_gflop=1.0)", "x = Backbone(features=2, forward_gflop=2.0)", True),
        ("x = Backbone(features=2, forward_gflop=1.0)", "x = Backbone(features=3, forward_gflop=1.0)", False),
        ("x = DownstreamSet(contents=Contents(images=1))", "x = DownstreamSet(contents=Contents(images=2))", True),
        ('x = DownstreamSet(metric="accuracy")', 'x = DownstreamSet(metric="mean_per_class")', False),
        ("x = Other(contents=1)", "x = Other(contents=2)", False),
    ],
)
def test_wording_and_figures_that_no_stage_reads_do_not_count(first: str, second: str, same: bool) -> None:
    assert (meaning(first) == meaning(second)) == same


def test_no_stage_reads_what_the_digest_skips() -> None:
    skipped = {name for names in digest.SKIPPED_KEYWORDS.values() for name in names} - {
        "description",
        "examples",
        "json_schema_extra",
        "summary",
    }
    modules = {name for stage in STAGES for name in digest.stage_closure(stage)}
    trees = [digest.without_facts(ast.parse(digest._module_path(name).read_bytes())) for name in sorted(modules)]
    read = {node.attr for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert not read & skipped
