"""The lines that end a failed run."""

from pathlib import Path

import pytest

from workflow_scripts.study.snakemake.failures import failure_lines

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


def test_job_that_slurm_ended() -> None:
    [line] = failure_lines(RULE, {"12": "TIMEOUT"}.__getitem__)
    assert line == (
        "error: SLURM ended job 12: TIMEOUT; logs: results/s/logs/pretrain/a.b.log, "
        "/x y/.slurm/rule_pretrain/12.log; run the same command again to continue"
    )


def test_group_has_a_line_for_each_of_its_rules_and_names_its_job() -> None:
    lines = failure_lines(GROUP, {"15": "CANCELLED"}.__getitem__)
    assert [line.split(";")[0] for line in lines] == ["error: SLURM ended job 15: CANCELLED"] * 2
    assert "download/1.log, /x/.slurm/group_download_download/15.log" in lines[0]
    assert "download/0.log" in lines[1]


def test_what_a_stage_said_is_quoted(folder: Path) -> None:
    (folder / "results/s/logs/download/1.log").write_text("working\nerror: no room in /x: 0 bytes; make room\n")
    lines = failure_lines(GROUP, lambda job: "FAILED")
    assert lines[0] == "error: no room in /x: 0 bytes; make room"
    assert lines[1].startswith("error: job died without a message in results/s/logs/download/0.log, /x/.slurm/")


def test_job_that_failed_and_was_then_done_is_left_out(folder: Path) -> None:
    (folder / "results/s/download").mkdir()
    (folder / "results/s/download/1.manifest.json").write_text("{}")
    [line] = failure_lines(GROUP, lambda job: "CANCELLED")
    assert "download/0.log" in line


def test_job_that_slurm_refused() -> None:
    [line] = failure_lines(REFUSED, lambda job: "")
    assert line.startswith("error: SLURM sbatch failed. The error message was 'sbatch: error: too much memory'.")
    assert "results/s/logs/summary/summary.log" in line


def test_last_failure_of_a_job_counts(folder: Path) -> None:
    again = RULE.replace("12", "13")
    [line] = failure_lines(RULE + "Trying to restart job 9.\n" + again, lambda job: "OUT_OF_MEMORY")
    assert "job 13: OUT_OF_MEMORY" in line
