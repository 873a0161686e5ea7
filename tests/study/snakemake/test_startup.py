"""Targets are looked up in the study before Snakemake plans them, and an error is the last thing that is printed."""

import getpass
import logging
import os
import pwd
import sys
import time
from logging.handlers import QueueHandler, QueueListener
from pathlib import Path
from queue import Queue

import pytest

from tests.study.config.configs import planned
from workflow_scripts.core.errors import PipelineError, PipelineErrors
from workflow_scripts.core.files.names import NOTES
from workflow_scripts.core.files.notes import write_note
from workflow_scripts.study.snakemake.startup import LOGGER, check_targets, check_working_folder, name_user, stop
from workflow_scripts.study.units import Units

RUN = "simclr-revised-crop-resnet_small-s0"


@pytest.fixture(scope="module")
def units() -> Units:
    return planned("tests/config/tiny.yaml")


def test_artifacts_of_the_study_rules_and_other_files_pass(units: Units, tmp_path: Path) -> None:
    base = tmp_path / "tiny"
    known = [
        base / "pretrain" / f"{RUN}.manifest.json",
        base / "data_card/data_card.run.json",
        base / "download/00001.run.json",
    ]
    targets = {"report", "elsewhere.manifest.json", str(base / "crate/x.json"), *map(str, known)}
    assert check_targets(targets, tmp_path, units) == targets


def test_the_name_of_a_stage_stands_for_all_its_artifacts(units: Units) -> None:
    found = check_targets(["download", "report"], Path("results"), units)
    assert found == {"report", *(f"results/tiny/download/{shard}.manifest.json" for shard in ("00000", "00001"))}
    with pytest.raises(PipelineErrors, match="unknown artifact in tokens: the study has none of this stage"):
        check_targets(["tokens"], Path("results"), planned("tests/config/nano.yaml"))


@pytest.mark.parametrize(
    ("target", "advice"),
    [
        ("pretrain/simclr-revised-crop-resnet_small-s9", RUN),
        (f"features/{RUN}.77.concept", f"{RUN}.last.concept"),
        ("download/9", "the study has 00000, 00001"),
        ("../tiny/pair_table/revisde", "revised"),
    ],
)
def test_an_artifact_that_the_study_lacks_is_an_error(units: Units, tmp_path: Path, target: str, advice: str) -> None:
    (tmp_path / "tiny").mkdir()
    with pytest.raises(PipelineErrors, match="unknown artifact") as raised:
        check_targets(["report", f"{tmp_path}/tiny/{target}.manifest.json"], tmp_path, units)
    assert advice in raised.value.advice


def test_an_artifact_of_another_study_is_an_error_with_the_command_for_it(units: Units, tmp_path: Path) -> None:
    write_note(tmp_path / NOTES / "nano.json", {"configfiles": ["config.yaml", "a b.yaml"], "config": {"seed": 7}})
    target = tmp_path / "nano/report/index.run.json"
    with pytest.raises(PipelineErrors, match="artifact of another study") as raised:
        check_targets([str(target)], tmp_path, units)
    made = f"{tmp_path}/nano/report/index.manifest.json"
    assert raised.value.advice == f"use its config: snakemake {made} --configfile 'a b.yaml' --config seed=7"
    write_note(tmp_path / NOTES / "nano.json", {"configfiles": 5, "config": ["seed"]})  # by someone else
    with pytest.raises(PipelineErrors, match="artifact of another study") as raised:
        check_targets([str(target)], tmp_path, units)
    assert raised.value.advice == f"use its config: snakemake {made}"


def test_another_working_folder_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    project, other = tmp_path / "project", tmp_path / "other"
    project.mkdir()
    other.mkdir()
    monkeypatch.chdir(other)
    with pytest.raises(SystemExit):
        check_working_folder(f"{other}/../project")
    assert capsys.readouterr().err == (
        f"error: another working folder in {other}: it has no config.yaml, since the project is in {project}; "
        f"start snakemake in {project}, without --directory\n"
    )
    monkeypatch.chdir(project)
    check_working_folder(str(project))
    monkeypatch.chdir(other)
    (other / "config.yaml").touch()
    check_working_folder(str(project))


def test_a_module_that_hides_the_standard_library_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "config.yaml").touch()
    (tmp_path / "statistics.py").write_text("raise ImportError")
    with pytest.raises(SystemExit):
        check_working_folder(str(tmp_path))
    said = f"error: module that hides one of Python's in {tmp_path}/statistics.py: jobs would import it; rename it\n"
    assert capsys.readouterr().err == said


def test_a_user_without_an_entry_gets_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", {}.__getitem__)
    monkeypatch.setenv("LOGNAME", "")  # so that the value is restored
    name_user()
    assert getpass.getuser() == f"user-{os.getuid()}"
    monkeypatch.setenv("LOGNAME", "alice")
    name_user()
    assert getpass.getuser() == "alice"


def test_an_error_comes_after_all_that_snakemake_logged(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Slow(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            time.sleep(0.05)
            sys.stderr.write(f"{record.getMessage()}\n")

    records: Queue[logging.LogRecord] = Queue()
    listener, logger = QueueListener(records, Slow()), logging.getLogger(LOGGER)
    monkeypatch.setattr(logger, "handlers", [QueueHandler(records)])
    listener.start()
    for number in range(3):
        logger.error("line %d", number)
    with pytest.raises(SystemExit):
        stop(PipelineError("no file", "a.csv", "missing", "write it"))
    listener.stop()
    assert capsys.readouterr().err.splitlines() == [
        *(f"line {number}" for number in range(3)),
        "error: no file in a.csv: missing; write it",
    ]
