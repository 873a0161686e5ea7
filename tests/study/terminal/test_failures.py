"""The lines that end a failed run."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from workflow_scripts.core.digest import ROOT
from workflow_scripts.study.terminal.failures import INTERRUPTED, INTERRUPTION, failures, last_lines

RULE = """[Tue Nov 24 19:50:02 2026]
Error in rule pretrain:
    message: SLURM-job '12' failed, SLURM status is: 'TIMEOUT'. Detailed failure reason unavailable.
    jobid: 9
    log: results/s/logs/pretrain/a.b.log, /x y/.slurm/rule_pretrain/12.log (check log file(s) for error details)
    shell:
        exec python -m workflow_scripts.stages.pretrain
"""
GROUP = """[Tue Nov 24 19:55:38 2026]
    message: Error in group download
    log: /x/.slurm/group_download_download/15.log (check log file(s) for error details)
    jobs:
        rule download:
            jobid: 1
            log: results/s/logs/download/1.log (check log file(s) for error details)
        rule download:
            jobid: 0
            log: results/s/logs/download/0.log (check log file(s) for error details)
    [Tue Nov 24 19:55:38 2026]
    Error in rule download:
        message: None
        log: results/s/logs/download/1.log (check log file(s) for error details)
    [Tue Nov 24 19:55:38 2026]
    Error in rule download:
        message: None
        log: results/s/logs/download/0.log (check log file(s) for error details)
"""
REFUSED = """Error in rule summary:
    message: SLURM sbatch failed. The error message was 'sbatch: error: too much memory'.
    log: results/s/logs/summary/summary.log (check log file(s) for error details)
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results/s/logs/download").mkdir(parents=True)
    return tmp_path


def test_a_job_ended_by_slurm_is_reported_with_its_state_and_logs() -> None:
    [line] = failures(RULE, {"12": "TIMEOUT"}.__getitem__)
    assert line == (
        "error: SLURM ended job 12: TIMEOUT; logs: results/s/logs/pretrain/a.b.log, "
        "/x y/.slurm/rule_pretrain/12.log; run the same command again to continue"
    )


def test_a_failed_group_has_a_line_per_rule_with_its_slurm_job() -> None:
    lines = list(failures(GROUP, {"15": "CANCELLED"}.__getitem__))
    assert [line.split(";")[0] for line in lines] == ["error: SLURM ended job 15: CANCELLED"] * 2
    assert "download/1.log, /x/.slurm/group_download_download/15.log" in lines[0]
    assert "download/0.log" in lines[1]


def test_the_error_line_of_a_stage_is_quoted(folder: Path) -> None:
    (folder / "results/s/logs/download/1.log").write_text("working\nerror: no room in /x: 0 bytes; make room\n")
    lines = list(failures(GROUP, lambda job: "FAILED"))
    assert lines[0] == "error: no room in /x: 0 bytes; make room"
    assert lines[1].startswith("error: job died without a message in results/s/logs/download/0.log, /x/.slurm/")


@pytest.mark.parametrize("last", ["", "epoch 3\n"])
def test_a_job_that_was_killed_is_said_to_have_been(folder: Path, last: str) -> None:
    log = folder / "results/s/logs/download/1.log"
    log.write_text(last)
    lines = list(failures(GROUP, lambda job: "FAILED"))
    assert lines[0].startswith("error: job killed from outside in results/s/logs/download/1.log")
    assert "often for lack of memory; give it more memory" in lines[0]
    log.write_text(f"{last}Traceback (most recent call last):\n  ...\nImportError: x\n")
    assert next(iter(failures(GROUP, lambda job: "FAILED"))).startswith("error: job died without a message in ")


def test_job_that_failed_and_was_then_done_is_left_out(folder: Path) -> None:
    (folder / "results/s/download").mkdir()
    (folder / "results/s/download/1.manifest.json").write_text("{}")
    [line] = failures(GROUP, lambda job: "CANCELLED")
    assert "download/0.log" in line


def test_a_job_refused_by_slurm_is_reported_with_the_sbatch_error() -> None:
    [line] = failures(REFUSED, lambda job: "")
    assert line.startswith("error: SLURM sbatch failed. The error message was 'sbatch: error: too much memory'.")
    assert "results/s/logs/summary/summary.log" in line


def test_only_the_last_failure_of_a_job_is_reported(folder: Path) -> None:
    again = RULE.replace("12", "13")
    [line] = failures(RULE + "Trying to restart job 9.\n" + again, lambda job: "OUT_OF_MEMORY")
    assert "job 13: OUT_OF_MEMORY" in line


def test_the_last_lines_give_advice_and_each_error_below_its_logs(folder: Path) -> None:
    for name in ("0", "1"):
        (folder / f"results/s/logs/download/{name}.log").write_text("error: no room in /x: 0 bytes; make room\n")
    log = Path.cwd() / "snakemake.log"
    slurm = "/x/.slurm/group_download_download/15.log"
    assert last_lines(GROUP, log, lambda job: "FAILED") == [
        "2 jobs failed. Finished jobs are kept: fix the errors, then run the same command again.",
        "Snakemake's log: snakemake.log",
        f"log: results/s/logs/download/1.log, {slurm} and 1 more",
        "error: no room in /x: 0 bytes; make room",
    ]


def test_jobs_ended_by_an_interruption_are_not_failures() -> None:
    text = f"{INTERRUPTION}, this might take some time.\n{RULE}"
    assert last_lines(text, Path("x.log"), lambda job: "") == [INTERRUPTED]
    both = last_lines(RULE + text, Path("x.log"), lambda job: "TIMEOUT")
    assert both[0].startswith("1 job failed.") and both[-2].startswith("error: SLURM ended job 12: TIMEOUT; ")
    assert both[-1] == INTERRUPTED and len(both) == 5


def test_a_bus_error_is_reported_as_a_storage_error(folder: Path) -> None:
    (folder / "results/s/logs/pretrain").mkdir(parents=True)
    imports = "import os; from workflow_scripts.core.runtime import process"
    code = f"{imports}; process.start_process(); os.kill(os.getpid(), {signal.SIGBUS:d})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == -signal.SIGBUS
    (folder / "results/s/logs/pretrain/a.b.log").write_text(done.stderr)
    [line] = failures(RULE, lambda _: "FAILED")
    assert line.startswith("error: storage error of a job in results/s/logs/pretrain/a.b.log: bus error: ")


def test_failure_lines_have_no_control_characters() -> None:
    text = RULE.replace("Detailed failure reason unavailable", "\x1b[2K\u202e")
    lines = last_lines(text, Path("\x9b.log"), lambda _: "")
    assert all(line.isprintable() for line in lines)
    assert r"\x1b[2K\u202e" in lines[-1] and lines[1].endswith(r"\x9b.log")
