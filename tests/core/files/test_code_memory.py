"""What is kept of modules between processes, and when it does not count."""

import ast
import json
from pathlib import Path

import pytest

from workflow_scripts.core import digest, pinned_code
from workflow_scripts.core.files.code_memory import CodeMemory, Parsed

ONE, TWO = Parsed("1", ["a"], ["b"], {"format": 3}, {"row": ["3", "d"]}), Parsed("2", [], [], {}, {})


def kept(package: Path) -> Path:
    """The file of a memory that holds one module."""
    memory = CodeMemory(package, "1")
    memory.add("a.py", "sha", ONE)
    memory.save()
    (file,) = (package / "__pycache__").iterdir()
    return file


def test_an_entry_is_valid_only_for_its_module_source_and_version(tmp_path: Path) -> None:
    kept(tmp_path)
    memory = CodeMemory(tmp_path, "1")
    assert memory.find("a.py", "sha") == ONE
    assert memory.find("a.py", "other") is memory.find("b.py", "sha") is None
    assert CodeMemory(tmp_path, "2").find("a.py", "sha") is None


def test_an_entry_for_new_source_replaces_the_old_entry(tmp_path: Path) -> None:
    kept(tmp_path)
    memory = CodeMemory(tmp_path, "1")
    memory.add("a.py", "other", TWO)
    memory.add("b.py", "sha", ONE)
    memory.save()
    memory = CodeMemory(tmp_path, "1")
    assert memory.find("a.py", "sha") is None
    assert (memory.find("a.py", "other"), memory.find("b.py", "sha")) == (TWO, ONE)


@pytest.mark.parametrize(
    "damaged",
    [
        "",
        "{",
        "[]",
        "\xff",
        "{}",
        '{"version": "1"}',
        '{"version": "1", "modules": []}',
        '{"version": "1", "modules": {"a.py": ["sha", []]}}',
        '{"version": "1", "modules": {"a.py": null}}',
    ],
)
def test_a_damaged_file_is_forgotten_and_replaced(tmp_path: Path, damaged: str) -> None:
    file = kept(tmp_path)
    file.write_bytes(damaged.encode("latin-1"))
    memory = CodeMemory(tmp_path, "1")
    assert memory.find("a.py", "sha") is None
    memory.add("b.py", "sha", ONE)
    memory.save()
    assert json.loads(file.read_bytes())["modules"].keys() == {"b.py"}


@pytest.mark.parametrize(
    ("whole", "damaged"), [('["1", ', '["2", '), ('["a"]', '"a"'), ('{"format": 3}', "3"), ('"1", ["a"]', '1, ["a"]')]
)
def test_a_damaged_entry_is_ignored(tmp_path: Path, whole: str, damaged: str) -> None:
    file = kept(tmp_path)
    text = file.read_text()
    assert text.count(whole) == 1
    file.write_text(text.replace(whole, damaged))
    assert CodeMemory(tmp_path, "1").find("a.py", "sha") is None


def test_unchanged_code_memory_is_not_written(tmp_path: Path) -> None:
    file = kept(tmp_path)
    file.unlink()
    CodeMemory(tmp_path, "1").save()
    assert not file.exists()


def test_an_unwritable_folder_is_not_an_error(tmp_path: Path) -> None:
    (tmp_path / "__pycache__").write_bytes(b"a file")
    memory = CodeMemory(tmp_path, "1")
    memory.add("a.py", "sha", ONE)
    memory.save()
    assert memory.find("a.py", "sha") == ONE


@pytest.fixture
def stages(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder of stages of another project."""
    folder = tmp_path / "workflow_scripts" / "stages"
    folder.mkdir(parents=True)
    monkeypatch.setattr(digest, "ROOT", tmp_path)
    return folder


def test_remembered_code_is_not_parsed_again_in_another_process(stages: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (stages / "draw.py").write_text("STAGE = Stage(data_files=('one.html',))\nfrom workflow_scripts import shapes\n")
    shapes = stages.parent / "shapes.py"
    shapes.write_text("x = 1\n")
    found, declared = digest.stage_closure("draw"), digest._declared("draw")
    assert len(found) == 2 and declared == {"data_files": ["one.html"]}
    digest._memory(digest.ROOT).save()

    def another_process() -> None:
        digest._memory.cache_clear()
        digest._module.cache_clear()
        pinned_code._sources.clear()

    another_process()
    with monkeypatch.context() as patched:
        patched.setattr(ast, "parse", None)
        assert digest.stage_closure("draw") == found and digest._declared("draw") == declared
    another_process()
    shapes.write_text("x = 2\n")
    differs = {name for name, code in digest.stage_closure("draw").items() if found[name] != code}
    another_process()
    assert differs == {"workflow_scripts.shapes"}


@pytest.mark.parametrize("unwanted", [True, False])
def test_code_is_remembered_where_python_keeps_compiled_code(
    stages: Path, monkeypatch: pytest.MonkeyPatch, unwanted: bool
) -> None:
    at_exit: list[object] = []
    monkeypatch.setattr("atexit.register", at_exit.append)
    monkeypatch.setattr("sys.dont_write_bytecode", unwanted)
    memory = digest._memory(digest.ROOT)
    assert at_exit == ([] if unwanted else [memory.save])
