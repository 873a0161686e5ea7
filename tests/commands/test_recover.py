"""The repair command, over a SLURM whose commands are small scripts; the live one is in tests/slurm."""

import os
import stat
from pathlib import Path

import pytest

from workflow_scripts.commands import recover
from workflow_scripts.commands.main import main
from workflow_scripts.core.errors import PipelineError


@pytest.fixture
def queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file with the queue's lines; `squeue` prints it, `scancel` takes the given jobs out of it."""
    lines = tmp_path / "queue"
    lines.write_text("")
    programs = tmp_path / "bin"
    programs.mkdir()
    squeue = f"#!/bin/sh\ncat '{lines}'\n"
    scancel = f"#!/bin/sh\nfor job; do sed -i \"/^$job|/d\" '{lines}'; done\n"
    for name, text in (("squeue", squeue), ("scancel", scancel)):
        (programs / name).write_text(text)
        (programs / name).chmod((programs / name).stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setattr(recover, "SECONDS_BETWEEN_LOOKS", 0.01)
    return lines


def test_finds_only_this_folders_snakemake_jobs(queue: Path, tmp_path: Path) -> None:
    here = tmp_path / "a clone"
    queue.write_text(
        f"7|RUNNING|rule_pretrain_wildcards_x|{here}\n"
        f"8|PENDING|rule_download|{tmp_path}/another\n"
        f"9|RUNNING|(null)|{here}\n"
        f"10|PENDING|rule_summary|{here}\n"
    )
    assert recover.orphans(here) == [("7", "RUNNING", "pretrain_wildcards_x"), ("10", "PENDING", "summary")]


def test_recover_without_an_option_changes_nothing(
    queue: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    queue.write_text(f"7|RUNNING|rule_pretrain|{tmp_path}\n")
    assert not recover.recover(tmp_path, None)
    assert "job 7 (pretrain) is RUNNING" in capsys.readouterr().out
    assert queue.read_text()


def test_cancel_ends_all_jobs_and_removes_the_locks(queue: Path, tmp_path: Path) -> None:
    queue.write_text(f"7|RUNNING|rule_pretrain|{tmp_path}\n8|PENDING|rule_summary|{tmp_path}\n")
    locks = tmp_path / ".snakemake/locks"
    locks.mkdir(parents=True)
    (locks / "0.output.lock").write_text("")
    assert recover.recover(tmp_path, "cancel")
    assert queue.read_text() == ""
    assert not list(locks.iterdir())


def test_wait_cancels_pending_jobs_and_lets_running_jobs_finish(
    queue: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue.write_text(f"7|RUNNING|rule_pretrain|{tmp_path}\n8|PENDING|rule_summary|{tmp_path}\n")
    looks: list[str] = []

    def job_ends_at_the_third_look(seconds: float) -> None:
        looks.append(queue.read_text())
        if len(looks) == 3:
            queue.write_text("")

    monkeypatch.setattr(recover, "sleep", job_ends_at_the_third_look)
    assert recover.recover(tmp_path, "wait")
    assert looks == [f"7|RUNNING|rule_pretrain|{tmp_path}\n"] * 3


def fake_process(folder: Path, pid: int, words: list[str], cwd: Path) -> None:
    """A process as /proc shows it."""
    (folder / str(pid)).mkdir(parents=True)
    (folder / str(pid) / "cmdline").write_bytes(b"\0".join(word.encode() for word in words))
    (folder / str(pid) / "cwd").symlink_to(cwd)


def test_running_snakemakes_of_the_folder_are_found(tmp_path: Path) -> None:
    here, there, proc = tmp_path / "here", tmp_path / "there", tmp_path / "proc"
    for folder in (here, there):
        folder.mkdir()
    fake_process(proc, 11, ["python", "/x/bin/snakemake", "--profile", "slurm"], here)
    fake_process(proc, 12, ["python", "/x/bin/snakemake", "--profile", "slurm"], there)
    fake_process(proc, 13, ["python", "-m", "snakemake", "--executor", "slurm-jobstep"], here)
    fake_process(proc, 14, ["vim", "Snakefile", "snakemake.txt"], here)
    assert recover.living(here, proc) == [11]


def test_refuses_while_a_snakemake_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recover, "living", lambda folder: [4711])
    with pytest.raises(PipelineError, match=r"Snakemake is running in .*pid 4711"):
        recover.recover(tmp_path, "cancel")


def test_a_command_that_does_not_exist_is_an_error(
    queue: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["recover", "--wait", "--", "snakemaek", "-n"]) == 1
    assert capsys.readouterr().err.startswith("error: unknown command in the command line: snakemaek; ")


def test_slurm_that_refuses_is_an_error(queue: Path, tmp_path: Path) -> None:
    (tmp_path / "bin/squeue").write_text("#!/bin/sh\necho no controller >&2\nexit 1\n")
    with pytest.raises(PipelineError, match=r"SLURM refused.*no controller"):
        recover.orphans(tmp_path)
