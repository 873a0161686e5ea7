"""Every command ends in one line where its input or the machine is at fault."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer.core

from workflow_scripts.commands.errors import TRACEBACK, plain_errors
from workflow_scripts.commands.main import AFTER_ERROR, COMMANDS, main
from workflow_scripts.core.errors import PipelineError

ARGUMENTS = {
    "accept": ["pretrain", "--reason", "x", "--results"],
    "agreement": ["{}"],
    "diff": ["{}"],
    "export": ["{}"],
    "paper": ["{}"],
    "impact": ["{}"],
}
# Sub-commands with a path as an argument.
OF_A_PATH = sorted(set(COMMANDS) - {"claims", "cost", "init", "lock", "power", "recover", "remove"})


@pytest.mark.parametrize("fault", ["missing", "file", "empty", "damaged"])
@pytest.mark.parametrize("name", OF_A_PATH)
def test_an_invalid_path_is_a_single_line_error(
    tmp_path: Path, name: str, fault: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "results" / "study"
    if fault == "file":
        path.parent.mkdir()
        path.write_bytes(b"\x00")
    elif fault != "missing":
        (path / "summary").mkdir(parents=True)
    if fault == "damaged":
        for file in ("summary.manifest.json", "summary.run.json", "summary.parquet"):
            (path / "summary" / file).write_bytes(b"[" * 100_000)
    given = [one.format(path) for one in ARGUMENTS.get(name, [])]
    status = main([name, *given, str(path)])
    said = capsys.readouterr().err
    assert "Traceback" not in said and "bug in Faithful Pairs" not in said
    if fault == "missing":
        assert status == AFTER_ERROR.get(name, 1) and "error: " in said and "results/study" in said


WRONG = [
    [],
    ["audti"],
    ["--nope"],
    ["audit", "--jobs", "0"],
    ["audit", "--jobs", "many"],
    ["audit", "--configfile"],
    ["show"],
    ["show", "a", "b"],
    ["why"],
    ["why", "file", "column"],
    ["diff", "a"],
    ["verify", "a", "--sample", "-3"],
    ["verify", "a", "--device", "tpu"],
    ["verify", "a", "--timeout", "soon"],
    ["cost", "--rows", "1e6"],
    ["cost", "--tflops", "inf"],
    ["power", "--sd", "0"],
    ["power", "--sd", "nan"],
    ["lock", "my-study.yaml"],
    ["accept", "pretrain"],
    ["accept", "pretrain", "--reason"],
    ["cache-gc", "--max-size", "foo"],
    ["cache-gc", "--work-days", "-1"],
    ["remove"],
    ["recover", "--wait", "--cancel"],
    ["crate", "a", "--max-file-mb", "-1"],
    ["crate", "a", "--license", ""],
]


@pytest.mark.parametrize("words", WRONG, ids=" ".join)
def test_wrong_usage_is_a_single_line_error_with_status_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    printed = capsys.readouterr()
    if words:
        assert printed.err.startswith("error: wrong usage in faithful-pairs") and printed.err.count("\n") == 1
        assert printed.err.endswith(" --help\n")
    else:
        assert printed.out.startswith("Usage: faithful-pairs ")


@pytest.mark.parametrize(
    ("words", "status", "line"),
    [
        (["crate", "nope"], 1, "no artifacts in nope: no manifest below it;"),
        (["show", "nope"], 1, "/nope: nothing there; name the folder of a study"),
        (["show", "."], 1, "no results yet in .: no summary/summary;"),
        (["cost", "--configfile", "nope.yaml"], 1, "nope.yaml"),
        (["lock", "--configfile", "nope.yaml"], 1, "missing config file in nope.yaml: no such file;"),
        (["audit", "nope"], 2, "no study in "),
        (["accept", "nope", "--reason", "x", "--results", "."], 1, "unknown stage in accept: nope;"),
        (["accept", "pretrain", "--reason", " ", "--results", "."], 1, "empty reason in accept: '';"),
    ],
)
def test_unknown_values_are_named(words: list[str], status: int, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == status
    said = capsys.readouterr().err
    assert said.startswith("error: ") and line in said and said.count("\n") == 1


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (PipelineError("a", "b", "c", "d"), "error: a in b: c; d"),
        (PermissionError(errno.EACCES, "Permission denied", "/x/y"), "/x/y: Permission denied; check path"),
        (OSError(errno.ENOSPC, "No space left on device"), "in faithful-pairs x: No space left on device"),
        (MemoryError(), "error: not enough memory in faithful-pairs x: nothing left; "),
        (
            KeyError("k"),
            f"error: KeyError in faithful-pairs x: 'k'; this is a bug in Faithful Pairs; please report it with "
            f"what {TRACEBACK}=1 prints",
        ),
    ],
)
def test_exceptions_become_single_line_errors(error: Exception, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="3"), plain_errors("faithful-pairs x", 3):
        raise error
    said = capsys.readouterr().err
    assert line in said and said.count("\n") == 1


def test_a_bug_shows_its_traceback_on_request(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TRACEBACK, "1")
    with pytest.raises(SystemExit, match="1"), plain_errors("faithful-pairs x"):
        raise KeyError("k")
    said = capsys.readouterr().err
    assert said.startswith("Traceback ") and said.splitlines()[-1].startswith("error: KeyError in faithful-pairs x")


def test_ctrl_c_ends_a_command_with_status_130(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="130"), plain_errors("faithful-pairs x"):
        raise KeyboardInterrupt
    assert capsys.readouterr().err == "error: interrupted in faithful-pairs x: Ctrl-C; run the same command again\n"


def test_ctrl_c_while_the_command_line_is_read(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(typer.core.TyperCommand, "parse_args", interrupted)
    assert main(["show", "x"]) == 130
    assert capsys.readouterr().err.startswith("error: interrupted in faithful-pairs: Ctrl-C; ")


def test_output_is_escaped_on_a_terminal_without_utf8() -> None:
    page = "import sys; from workflow_scripts.commands import main as m, show; show.text = lambda *_: 'a \u2212 b'"
    code = page + "; sys.exit(m.main(['show', 'x']))"
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "a \\u2212 b", "")


def test_a_closed_pipe_ends_a_command_silently() -> None:
    command = [sys.executable, "-m", "workflow_scripts.commands", "cost"]
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.parametrize("closed", [">&-", ">&- 2>&-"])
def test_closed_standard_output_is_not_reported_as_a_bug(closed: str) -> None:
    command = f"{sys.executable} -m workflow_scripts.commands cost {closed}"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("level", ["1", "2"])
def test_python_without_assertions_is_refused(level: str) -> None:
    command = [sys.executable, "-m", "workflow_scripts.commands", "status"]
    environment = {**os.environ, "PYTHONOPTIMIZE": level, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith(f"error: Python without assertions in PYTHONOPTIMIZE: {level}; unset PYTHONOPTIMIZE")
