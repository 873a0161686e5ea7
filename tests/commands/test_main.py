"""The command line as a whole: help, completion and start-up."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from workflow_scripts.commands.main import COMMANDS, main

HEAVY = {"torch", "numpy", "pandas", "pyarrow", "pydantic", "matplotlib", "snakemake", "rich", "yaml"}


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_examples_and_exit_statuses(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--help"]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"Usage: faithful-pairs {name} ")
    ((examples, statuses),) = re.findall(r"Examples:\n(.*?)\n\n +Exit status:\n(.*?)\n\n", text, re.DOTALL)
    assert all(f"faithful-pairs {name}" in line for line in examples.splitlines())
    assert [line.split()[0] for line in statuses.splitlines()][:3] == ["0", "1", "2"]


def test_the_list_of_commands_is_not_cut(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["--help"]) == 0
    lines = capsys.readouterr().out.rpartition("Commands:\n")[2].splitlines()
    assert [line.split()[0] for line in lines] == list(COMMANDS)
    assert all(line.endswith(".") and not line.endswith("...") for line in lines)


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert re.fullmatch(r"faithful-pairs \d+\.\d+\.\d+\n", capsys.readouterr().out)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shell_completion_offers_commands_stages_and_options(
    shell: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("_FAITHFUL_PAIRS_COMPLETE", f"source_{shell}")
    assert main([]) == 0
    script = capsys.readouterr().out
    assert f"_FAITHFUL_PAIRS_COMPLETE=complete_{shell}" in script
    monkeypatch.setenv("_FAITHFUL_PAIRS_COMPLETE", f"complete_{shell}")
    for typed, expected in (("cac", "cache-gc"), ("accept pre", "pretrain"), ("verify --sam", "--sample")):
        monkeypatch.setenv("_TYPER_COMPLETE_ARGS", f"faithful-pairs {typed}")
        monkeypatch.setenv("_TYPER_COMPLETE_FISH_ACTION", "get-args")
        monkeypatch.setenv("COMP_WORDS", f"faithful-pairs {typed}")
        monkeypatch.setenv("COMP_CWORD", str(len(typed.split())))
        main([])
        assert expected in capsys.readouterr().out


def test_nothing_heavy_is_imported_for_help() -> None:
    code = "import sys, workflow_scripts.commands.main as m; m.main(['--help']); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not HEAVY & set(done.stdout.splitlines()[-1].split())


def test_the_code_of_another_clone_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "workflow_scripts").mkdir()
    monkeypatch.chdir(tmp_path)
    assert main(["status", "results/none"]) == 1
    assert "code of another clone" not in capsys.readouterr().err
    (tmp_path / "Snakefile").touch()
    assert main(["status", "results/none"]) == 1
    assert capsys.readouterr().err.startswith(f"error: code of another clone in {tmp_path}: faithful-pairs runs the ")
