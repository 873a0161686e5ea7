"""Targets are looked up in the study before Snakemake plans them, and an error is the last thing that is printed."""

import logging
import sys
import time
from logging.handlers import QueueHandler, QueueListener
from pathlib import Path
from queue import Queue

import pytest

from tests.study.config.configs import merged
from workflow_scripts.core.errors import PipelineError, PipelineErrors
from workflow_scripts.study.config.study import load_study
from workflow_scripts.study.snakemake.internals import LOGGER
from workflow_scripts.study.snakemake.startup import check_targets, stop
from workflow_scripts.study.units import Units

RUN = "simclr-revised-crop-resnet_small-s0"


@pytest.fixture(scope="module")
def units() -> Units:
    return Units(load_study(merged("tests/config/tiny.yaml")))


def test_artifacts_of_the_study_rules_and_other_files_pass(units: Units, tmp_path: Path) -> None:
    base = tmp_path / "tiny"
    known = [
        base / "pretrain" / f"{RUN}.manifest.json",
        base / "data_card/data_card.run.json",
        base / "download/00001.run.json",
    ]
    check_targets(["report", "elsewhere.manifest.json", str(base / "crate/x.json"), *map(str, known)], tmp_path, units)


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
