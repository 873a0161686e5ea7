"""Every command ends in one line where its input or the machine is at fault."""

import errno
from importlib import import_module
from pathlib import Path

import pytest

from workflow_scripts.commands.command import plain_errors
from workflow_scripts.core.errors import PipelineError

STATUS = {"audit": 2, "diff": 2}
ARGUMENTS = {"accept": ["pretrain", "--reason", "x", "--results"], "diff": ["{}"]}


@pytest.mark.parametrize("fault", ["missing", "file", "empty", "damaged"])
@pytest.mark.parametrize("tool", ["accept", "audit", "cache_gc", "crate", "diff", "remove", "show", "verify", "why"])
def test_a_wrong_path_is_one_line(
    tmp_path: Path, tool: str, fault: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "results" / "study"
    if fault == "file":
        path.parent.mkdir()
        path.write_bytes(b"\x00")
    elif fault != "missing":
        (path / "summary").mkdir(parents=True)
    if fault == "damaged":
        for name in ("summary.manifest.json", "summary.run.json", "summary.parquet"):
            (path / "summary" / name).write_bytes(b"[" * 100_000)
    given = [one.format(path) for one in ARGUMENTS.get(tool, [])]
    with pytest.raises(SystemExit) as ended:
        import_module(f"workflow_scripts.commands.{tool}").main([*given, str(path)])
        raise SystemExit(0)  # it found nothing wrong with it
    said = capsys.readouterr().err
    assert "Traceback" not in said and "bug in Faithful Pairs" not in said
    if ended.value.code not in (0, None):
        assert ended.value.code in (1, 2)
    if fault == "missing" and tool != "remove":
        assert ended.value.code == STATUS.get(tool, 1) and "error: " in said and str(path) in said


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (PipelineError("a", "b", "c", "d"), "error: a in b: c; d"),
        (PermissionError(errno.EACCES, "Permission denied", "/x/y"), "/x/y: Permission denied; check path"),
        (OSError(errno.ENOSPC, "No space left on device"), "this command: No space left on device"),
    ],
)
def test_faults_are_lines(error: Exception, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="3"), plain_errors(3):
        raise error
    said = capsys.readouterr().err
    assert line in said and said.count("\n") == 1


def test_ctrl_c(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="130"), plain_errors():
        raise KeyboardInterrupt
    assert "error: interrupted" in capsys.readouterr().err
