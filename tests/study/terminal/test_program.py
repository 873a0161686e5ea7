import sys
from pathlib import Path

import pytest

from workflow_scripts.study.terminal import NAME, program


def test_a_program_is_named_as_it_can_be_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = tmp_path / "clone/.venv/bin" / NAME
    made.parent.mkdir(parents=True)
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "clone/.venv"))
    monkeypatch.setenv("PATH", str(made.parent))
    assert program() == NAME  # an environment without the program, and one whose folder is on the path without it
    made.touch(0o755)
    assert program() == NAME
    monkeypatch.setenv("PATH", "/usr/bin")
    assert program() == str(made)
    monkeypatch.chdir(tmp_path / "clone")
    assert program() == f".venv/bin/{NAME}"
