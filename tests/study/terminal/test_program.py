import sys
from pathlib import Path

import pytest

from workflow_scripts.study.terminal import NAME, program


def test_a_program_is_named_as_it_can_be_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = tmp_path / "my clone/.venv/bin" / NAME
    made.parent.mkdir(parents=True)
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "my clone/.venv"))
    monkeypatch.setenv("PATH", str(made.parent))
    assert program() == NAME  # which is not installed
    made.touch(0o755)
    assert program() == NAME
    monkeypatch.setenv("PATH", "/usr/bin")
    assert program() == f"'{made}'"
    monkeypatch.chdir(tmp_path / "my clone")
    assert program() == f".venv/bin/{NAME}"
