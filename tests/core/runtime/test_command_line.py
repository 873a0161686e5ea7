"""Inputs on a stage's command line."""

from pathlib import Path

import pytest

from workflow_scripts.core.runtime.command_line import arguments, groups


def test_braces_are_patterns_except_in_the_path_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "a{b}" / "c.manifest.json"
    file.parent.mkdir()
    file.touch()
    given = [[f"one={file}", str(tmp_path / "{x,y}.json")], ["none={}"]]
    assert groups(given) == {"one": [str(file), str(tmp_path / "x.json"), str(tmp_path / "y.json")], "none": []}


def test_options_are_not_abbreviated(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        arguments("x", ["--artifact", "a", "--settings", "{}", "--thread", "3"])
    assert "unrecognized arguments: --thread 3" in capsys.readouterr().err
