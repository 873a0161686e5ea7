import io
from pathlib import Path

import pytest
from rich.console import Console

from workflow_scripts.core.runtime.progress import Progress
from workflow_scripts.study.status.survey import Job, State, Status
from workflow_scripts.study.status.text import SHOWN, next_step, rendered
from workflow_scripts.study.terminal import program

NOW = 1_000.0
STUDY = Path("results/tiny")
DONE = Job("annotations", "rows", State.FINISHED)
WAITS = Job("report", "index", State.WAITING)
FAILED = Job(
    "download", "00001", State.FAILED, STUDY / "logs/download/00001.log", 900.0, "no space in x: 0 B; free space"
)
TRAINS = Job(
    "pretrain",
    "simclr-s0",
    State.RUNNING,
    None,
    999.0,
    "",
    progress=Progress("simclr", 120, 200, 4.0),
    curve={"step": 100, "steps": 200, "epoch": 1.25, "loss": 3.14159, "images_per_s": 1204.4},
)
COUNTS = Job("download", "00002", State.SILENT, None, 400.0, "", Progress("rows", 5, 10, 1.0))


def status(*jobs: Job, planned: bool = True) -> Status:
    stages = dict.fromkeys(job.stage for job in jobs)
    return Status(STUDY, {stage: [job for job in jobs if job.stage == stage] for stage in stages}, planned)


def text(found: Status, width: int = 100) -> list[str]:
    console = Console(file=io.StringIO(), width=width, highlight=False)
    console.print(rendered(found, NOW))
    return [" ".join(line.split()) for line in console.file.getvalue().splitlines()]  # type: ignore[attr-defined]


def test_the_status_text_lists_stages_trainings_and_errors() -> None:
    assert text(status(DONE, FAILED, COUNTS, TRAINS, WAITS)) == [
        "results/tiny: 1 of 5 artifacts finished, 1 running, 1 silent, 1 failed",
        "",
        "stage finished running silent failed",
        "annotations 1/1",
        "download 0/2 1 1",
        "pretrain 0/1 1",
        "report 0/1",
        "",
        "trainings",
        "run step epoch loss images/s left last sign",
        "simclr-s0 120/200 1.25 3.142 1,204 20 s 1 s ago",
        "",
        "other jobs",
        "job progress last sign",
        "download/00002 rows: 5/10, 1.0/s, 5 s left 10 min ago",
        "",
        "errors",
        "download/00001: no space in x: 0 B; free space",
        "log: results/tiny/logs/download/00001.log",
        "",
        "next: wait for the running jobs, fix the errors, and run the same snakemake command again; it",
        "continues where it stopped",
    ]


def test_a_training_without_figures_is_listed_exactly_once() -> None:
    begun = Job("pretrain", "simclr-s1", State.RUNNING, None, 990.0)
    lines = text(status(TRAINS, begun, COUNTS))
    table = lines[lines.index("trainings") : lines.index("other jobs")]
    assert table[2:4] == ["simclr-s0 120/200 1.25 3.142 1,204 20 s 1 s ago", "simclr-s1 10 s ago"]
    assert [line for line in lines if "simclr-s1" in line] == [table[3]]
    probed = Job("pretrain", "simclr-s2", State.SILENT, None, 990.0, curve={"step": 7, "steps": 9, "loss": None})
    assert "simclr-s2 7/9 10 s ago" in text(status(probed))


def test_long_lists_are_cut() -> None:
    many = [Job("features", str(number), State.FAILED, Path("x"), float(number), "e") for number in range(SHOWN + 5)]
    lines = text(status(*many))
    assert "… and 5 more" in lines and f"features/{SHOWN + 4}: e" in lines and "features/0: e" not in lines


def test_without_a_config_the_number_of_planned_artifacts_is_unknown() -> None:
    lines = text(status(DONE, planned=False))
    assert lines[0] == "results/tiny: 1 artifacts finished, number of planned ones unknown"
    assert "annotations 1" in lines


@pytest.mark.parametrize(
    ("jobs", "start"),
    [
        ((DONE,), f"{program()} show results/tiny; the report is results/tiny/report/index.html"),
        ((DONE, FAILED), "fix the errors, and run the same snakemake command again"),
        ((DONE, TRAINS, WAITS), f"wait for the running jobs; to look again: {program()} status results/tiny"),
        ((COUNTS, WAITS), "if Snakemake and its jobs have ended (on SLURM: squeue --me), run the same"),
        ((WAITS,), "nothing has been computed yet; start snakemake"),
        ((DONE, WAITS), "if Snakemake is not running, run the same snakemake command again"),
    ],
)
def test_the_status_suggests_the_next_command(jobs: tuple[Job, ...], start: str) -> None:
    assert next_step(status(*jobs)).startswith(start)


@pytest.mark.parametrize("width", [60, 80, 200])
def test_lines_fit_the_terminal(width: int) -> None:
    long = Job("few_shot", "simclr-revised-crop-resnet_small-s0.step-000200.imagenet_s50", State.RUNNING, None, 999.0)
    assert all(len(line) <= width for line in text(status(DONE, FAILED, long, TRAINS), width))


def test_names_and_notes_are_escaped_in_the_status_text() -> None:
    name = "[/] [red]\x1b[2K\u202e"
    counts = Job("download", name, State.RUNNING, None, 990.0, "", Progress("rows", 5, 10, 1.0, note=name))
    trains = Job("pretrain", name, State.RUNNING, None, 990.0, curve={"step": 1})
    failed = Job("download", name, State.FAILED, STUDY / name, 900.0, name)
    lines = text(status(counts, trains, failed), width=200)
    assert sum(line.count(r"[/] [red]\x1b[2K\u202e") for line in lines) == 6
    assert all(line.isprintable() for line in lines)
