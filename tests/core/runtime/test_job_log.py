"""Logs of jobs that are started again."""

import subprocess
import sys
from pathlib import Path

import pytest

from workflow_scripts.core.runtime.job_log import KEPT, artifact_of_log, log_of_artifact, logged_work_folder

STAGE = """
import logging, os, sys
from pathlib import Path
from workflow_scripts.core.runtime.job_log import WORK_LINE, keep_log
logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(message)s")
log, work, words = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
logging.info("start")
if sys.argv[4:]:
    setattr(os, sys.argv[4], lambda *_: os._exit(0))
keep_log(log, work)
logging.info("%s%s", WORK_LINE, work)
print(words, file=sys.stderr)
"""


def attempt(log: Path, work: Path, words: str, *killed_in: str) -> list[str]:
    """Run a stage as Snakemake does, its old log deleted; gives the lines of its log.

    ``killed_in`` may name a function of ``os`` at whose first call the stage dies.
    """
    log.unlink(missing_ok=True)
    with log.open("w") as file:
        subprocess.run([sys.executable, "-c", STAGE, log, work, words, *killed_in], stderr=file, check=True)
    return log.read_text().splitlines()


def test_a_later_attempt_keeps_the_log_lines_of_earlier_attempts(tmp_path: Path) -> None:
    log, work = tmp_path / "run.log", tmp_path / "work"
    work.mkdir()
    assert attempt(log, work, "error: first")[-1] == "error: first"
    assert logged_work_folder(log) == work
    second = attempt(log, work, "error: second")
    assert [line for line in second if line.startswith("error: ")] == ["error: second"]
    third = attempt(log, work, "killed")
    assert [line for line in third if line.startswith("error: ")] == []  # an old error is not this attempt's
    assert [line.strip() for line in third if line.startswith("  error: ")] == ["error: first", "error: second"]
    assert sum("start" in line for line in third) == 3
    assert (work / KEPT).read_text() == log.read_text()


def test_a_first_attempt_adds_no_earlier_log_lines(tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    lines = attempt(tmp_path / "run.log", work, "done")
    assert len(lines) == 3 and lines[0].endswith(" start") and lines[-1] == "done"
    assert logged_work_folder(tmp_path / "none.log") is None


@pytest.mark.parametrize("function", ["link", "replace"])
def test_a_kill_while_the_log_is_kept_loses_no_earlier_attempt(tmp_path: Path, function: str) -> None:
    log, work = tmp_path / "run.log", tmp_path / "work"
    work.mkdir()
    attempt(log, work, "error: first")
    assert "error: second" not in attempt(log, work, "error: second", function)
    third = attempt(log, work, "error: third")
    assert "  error: first" in third and third[-1] == "error: third"
    assert (work / KEPT).read_text() == log.read_text()
    assert [path.name for path in work.iterdir()] == [KEPT]


def test_log_of_an_artifact_and_back() -> None:
    artifact, log = Path("results/s/few_shot/run.last.x"), Path("results/s/logs/few_shot/run.last.x.log")
    assert log_of_artifact(artifact) == log
    assert artifact_of_log(log) == artifact
    assert artifact_of_log(Path("s/logs/few_shot/x.log")) == Path("s/few_shot/x")
    for other in ("x.log", "logs/few_shot/x.log", "results/s/few_shot/x.log", "results/s/logs/few_shot/x.txt"):
        assert artifact_of_log(Path(other)) is None
