"""The logger plugin, fed with log records."""

import io
import logging
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from snakemake_interface_logger_plugins.common import LogEvent
from snakemake_interface_logger_plugins.registry import LoggerPluginRegistry
from snakemake_interface_logger_plugins.tests import MockOutputSettings, TestLogHandlerBase

from tests.study.terminal.records import done, error, info, plan, record
from workflow_scripts.core.runtime.progress import PROGRESS, Progress
from workflow_scripts.study.terminal import handler as module
from workflow_scripts.study.terminal import program
from workflow_scripts.study.terminal.handler import LogHandler, register
from workflow_scripts.study.terminal.jobs import Figures

LONG = "simclr-some_rather_long_name_of_an_arm-crop-resnet50-s0.last." + "dataset" * 30


@pytest.fixture(autouse=True)
def no_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests tick themselves."""
    monkeypatch.setattr(module, "SECONDS_BETWEEN_TICKS", 1e9)


class TestPlugin(TestLogHandlerBase):
    """Snakemake's own checks of a plugin."""

    __test__ = True

    def get_log_handler_cls(self) -> type[LogHandler]:
        return LogHandler

    def get_log_handler_settings(self) -> None:
        return None


class Clock:
    """A clock that stands still."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(module.time, "monotonic", made)
    return made


Open = Callable[..., tuple[LogHandler, io.StringIO]]


@pytest.fixture
def opened(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Open:
    """Opens the plugin on a pipe."""

    def make(dryrun: bool = False) -> tuple[LogHandler, io.StringIO]:
        stream, settings = io.StringIO(), MockOutputSettings()
        settings.dryrun = dryrun
        monkeypatch.setattr("sys.stderr", stream)
        return LogHandler(settings, None), stream

    return make


def texts(stream: io.StringIO) -> list[str]:
    """Lines without their time of day."""
    return [line[10:] if line[2:3] == line[5:6] == ":" else line for line in stream.getvalue().splitlines()]


def test_a_pipe_gets_a_line_per_stage_and_minute(opened: Open, clock: Clock) -> None:
    handler, stream = opened()
    handler.emit(plan(features=3, few_shot=1, all=1))
    handler.emit(info(1, "features", "a"))
    handler.emit(info(2, "features", "b"))
    clock.now = 30
    handler.emit(done(1))
    handler.emit(info(3, "features", "c"))
    handler._view.tick()
    assert texts(stream) == ["4 jobs of 2 stages"]
    clock.now = 61
    handler._view.tick()
    handler._view.tick()
    clock.now = 122
    handler._view.tick()  # nothing got further: the overall line alone
    for number in (2, 3):
        handler.emit(done(number))
    handler.emit(info(4, "few_shot", "a"))
    clock.now = 125
    handler.emit(done(4))
    handler.emit(record(LogEvent.PROGRESS, done=4, total=64))  # Snakemake counts what --until cuts off
    handler.emit(info(5, "all", ""))
    handler.emit(done(5))
    handler.emit(record(LogEvent.PROGRESS, done=5, total=5))
    assert texts(stream)[1:] == [
        "features: 1 of 3 done, 2 running",
        "all: 1 of 4 jobs done (25%)",
        "all: 1 of 4 jobs done (25%)",
        "features: 3 of 3 done, 2 min after it began",
        "few_shot: 1 of 1 done, 3 s after it began",
        "done: 4 jobs in 2 min",
    ]
    assert (handler.jobs.done, handler.jobs.total, handler.jobs.running) == (4, 4, {})
    handler.close()


def test_a_demo_sized_run_prints_at_most_150_lines_of_200_characters(opened: Open, clock: Clock) -> None:
    handler, stream = opened()
    stages = {f"stage_{number:02}": 11 for number in range(24)}
    handler.emit(plan(**stages))
    jobs = [(stage, f"{LONG}.{number}") for stage in stages for number in range(11)]
    random.Random(1).shuffle(jobs)  # worse than the demo: all stages run all the time
    for number, (stage, unit) in enumerate(jobs):
        handler.emit(record(None, "Select jobs to execute..."))
        handler.emit(record(LogEvent.JOB_STARTED, "Execute 1 jobs...", jobs=[number]))
        handler.emit(info(number, stage, unit))
        clock.now += 600 / len(jobs)
        handler._view.tick()
        handler.emit(done(number))
        handler.emit(record(LogEvent.PROGRESS, done=number + 1, total=len(jobs)))
    assert len(texts(stream)) <= 150
    assert max(map(len, stream.getvalue().splitlines())) <= 200
    assert texts(stream)[-1] == "done: 264 jobs in 10 min"


@pytest.mark.parametrize(("known", "said"), [(120, "simclr: 120/200, 4.0/s, 20 s left, "), (0, "")])
def test_a_line_a_minute_says_how_a_training_goes(
    opened: Open, clock: Clock, tmp_path: Path, known: int, said: str
) -> None:
    handler, stream = opened()
    work, log = tmp_path / "work", tmp_path / "run.log"
    work.mkdir()
    log.write_text(f"2026-01-01 00:00:00,000 work folder: {work}\n")
    (work / PROGRESS).write_text(f'{{"what": "simclr", "done": {known}, "total": 200, "per_second": 4, "note": ""}}')
    (work / "curve.jsonl").write_text(
        '{"step": 100, "loss": 3.5, "lr": 0.01, "knn_accuracy": 0.412, "images_per_s": 480.2, "data_wait": 0.031}\n'
        '{"step": 110, "loss": 3.2, "lr": 0.009, "knn_accuracy": null, "images_per_s": 503.4, "data_wait": 0.02}\n'
    )
    handler.emit(plan(pretrain=2))
    handler.emit(info(1, "pretrain", "run", str(log)))
    for minute in (1, 2):
        clock.now = 60.0 * minute
        handler._view.tick()
    wanted = (
        f"pretrain: 0 of 2 done, 1 running; run: {said}"
        "at step 110: loss 3.2  lr 0.009  503 images/s  data wait 2%  kNN 41.2%"
    )
    assert [line for line in texts(stream) if line.startswith("pretrain")] == [wanted, wanted]


def test_redundant_snakemake_messages_are_hidden_and_others_shown(opened: Open) -> None:
    handler, stream = opened()
    for text in ("Building DAG of jobs...", "Using shell: /usr/bin/bash", "None", "", "Select jobs to execute..."):
        handler.emit(record(None, text))
    made = "Warning: the following output files of rule recaption were not present when the DAG was created:\n{'x'}"
    handler.emit(record(None, made, logging.WARNING))
    handler.emit(record(LogEvent.ERROR, "CalledProcessError:\nCommand 'x' returned non-zero exit status 1.", 40))
    handler.emit(record(LogEvent.ERROR, "WorkflowError:\nAt least one job did not complete successfully.", 40))
    handler.emit(record(LogEvent.WORKFLOW_STARTED, "", snakefile="Snakefile"))
    assert texts(stream) == []
    nothing = "Nothing to be done (all requested files are present and up to date)."
    for text in (nothing, "a warning of a Snakemake to come", "x " * 150):
        handler.emit(record(None, text, logging.WARNING))
    assert texts(stream)[:2] == [nothing, "a warning of a Snakemake to come"]
    assert len(texts(stream)) == 4 and max(map(len, texts(stream))) <= 200


def test_failures_name_their_logs(opened: Open) -> None:
    handler, stream = opened()
    handler.emit(plan(features=3, pretrain=1))
    for number in (1, 2):
        handler.emit(info(number, "features", f"u{number}"))
        handler.emit(error(number, "features", f"u{number}"))
    slurm = "SLURM-job '7' failed, SLURM status is: 'TIMEOUT'."
    handler.emit(error(3, "pretrain", "run", slurm, "/x/.slurm/7.log"))  # its start was not told
    assert texts(stream)[1:] == [
        "failed: features u1; log: results/s/logs/features/u1.log",
        f"failed: pretrain : {slurm}; log: results/s/logs/pretrain/run.log, /x/.slurm/7.log".replace(" :", ":"),
    ]
    handler.emit(info(3, "pretrain", "run"))  # a retry
    handler.emit(done(3))
    assert set(handler.jobs.failed) == {1, 2}


def test_slurm_job_ids_are_shown_with_job_names(opened: Open) -> None:
    handler, stream = opened()
    handler.emit(plan(pretrain=1))
    handler.emit(info(3, "pretrain", "run"))
    for job in ("3", "5f2e-a1"):
        handler.emit(record(None, f"Job {job} has been submitted with SLURM jobid 71 (log: results/.slurm/x/71.log)."))
    assert texts(stream)[1:] == [
        "pretrain run: submitted with SLURM jobid 71 (log: results/.slurm/x/71.log)",
        "group: submitted with SLURM jobid 71 (log: results/.slurm/x/71.log)",
    ]


def test_jobs_that_control_c_ends_are_not_called_failed(opened: Open) -> None:
    handler, stream = opened()
    handler.emit(plan(features=1))
    handler.emit(info(1, "features", "a"))
    handler.emit(record(None, "Terminating processes on user request, this might take some time."))
    handler.emit(error(1, "features", "a"))
    assert texts(stream)[1:] == ["stopping the running jobs"]
    assert not handler.jobs.failed and not handler.jobs.running


def test_the_report_and_what_to_type_next_come_last(opened: Open) -> None:
    handler, stream = opened()
    handler.emit(plan(report=1))
    handler.emit(info(1, "report", "index"))
    handler.emit(done(1))
    assert texts(stream)[-2:] == ["report: results/s/report/index.html", f"next: {program()} show results/s"]


def test_a_dry_run_prints_what_snakemake_prints(opened: Open) -> None:
    handler, stream = opened(dryrun=True)
    handler.setFormatter(logging.Formatter("as always: %(message)s"))
    handler.emit(record(None, "Building DAG of jobs..."))
    assert stream.getvalue() == "as always: Building DAG of jobs...\n"


def test_a_closed_terminal_or_malformed_record_does_not_stop_the_run(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    handler, stream = opened()
    monkeypatch.setattr(logging, "raiseExceptions", False)
    handler.emit(record(LogEvent.JOB_INFO, "no fields"))
    stream.close()  # writing raises ValueError
    handler.emit(plan(report=1))

    class Left(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    monkeypatch.setattr("sys.stderr", Left())
    handler = LogHandler(MockOutputSettings(), None)
    handler.emit(plan(report=1))
    handler.close()


def test_progress_lines_continue_after_an_error(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    handler, _ = opened()
    monkeypatch.setattr(logging, "raiseExceptions", False)
    monkeypatch.setattr(module, "SECONDS_BETWEEN_TICKS", 0.0)
    errors = [ValueError(), BlockingIOError(), ZeroDivisionError()]

    def tick() -> None:
        if errors:
            raise errors.pop()
        handler._ended.set()

    monkeypatch.setattr(handler._view, "tick", tick)
    handler._tick()
    assert not errors and handler._ended.is_set()


def test_snakemake_finds_the_registered_logger_plugin() -> None:
    register()
    register()
    assert LoggerPluginRegistry().get_plugin("faithful-pairs").log_handler is LogHandler


@pytest.mark.parametrize("dryrun", [True, False])
def test_printed_output_has_no_control_characters(opened: Open, dryrun: bool) -> None:
    handler, stream = opened(dryrun=dryrun)
    handler.setFormatter(logging.Formatter())
    handler.emit(record(None, "Missing input:\n\tresults/\x1b[2K\u202e.tar", logging.ERROR))
    said = stream.getvalue()
    assert said.startswith("Missing input:\n") and said.endswith("results/\\x1b[2K\\u202e.tar\n")


def test_failures_and_figures_have_no_control_characters(
    opened: Open, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    handler, stream = opened()
    figures = Figures(Progress("rows", 1, 2, 1.0, note="\x1b[2K"))
    monkeypatch.setattr("workflow_scripts.study.terminal.lines.figures_of", lambda job: figures)
    handler.emit(plan(features=2))
    handler.emit(info(1, "features", "\x1b[2K"))
    clock.now = 61
    handler._view.tick()
    handler.emit(error(1, "features", "\x1b[2K", "\x1b[2K\u202e"))
    assert all(line.isprintable() for line in stream.getvalue().split("\n"))
    assert stream.getvalue().count(r"\x1b[2K") >= 4
