"""The display on terminals of several sizes."""

import io
import json
import re
from pathlib import Path

import pytest
from rich.console import Console

from tests.study.terminal.records import error, info, plan
from workflow_scripts.study.terminal.jobs import Jobs
from workflow_scripts.study.terminal.screen import WIDEST, Screen

LONG = "simclr-some_rather_long_name_of_an_arm-crop-resnet50-s0.last." + "dataset" * 30


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def lines(screen: Screen) -> list[str]:
    """The display as text."""
    with screen.console.capture() as captured:
        screen.console.print(screen.renderable())
    return captured.get().splitlines()


def display(columns: int, rows: int, now: list[float]) -> tuple[Screen, Jobs, Terminal]:
    """A display without colours."""
    jobs, terminal = Jobs(), Terminal()
    screen = Screen(terminal, jobs, lambda: now[0])
    screen.console = Console(
        file=terminal, width=columns, height=rows, no_color=True, highlight=False, color_system=None
    )
    return screen, jobs, terminal


def training(folder: Path, name: str) -> str:
    """Log of a job that trains."""
    work = folder / f"{name}.work"
    work.mkdir()
    note = '"done": 1200, "total": 20000, "per_second": 4.25, "note": ""'
    (work / "progress.json").write_text(f'{{"what": "simclr", {note}}}')
    row = '"loss": 3.2142, "lr": 0.0032, "images_per_s": 1503.2, "data_wait": 0.034, "knn_accuracy": 0.4123'
    (work / "curve.jsonl").write_text(f'{{"step": 1200, {row}}}\n')
    (folder / f"{name}.log").write_text(f"2026-01-01 00:00:00,000 work folder: {work}\n")
    return str(folder / f"{name}.log")


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_nothing_is_wider_than_the_terminal(columns: int, tmp_path: Path) -> None:
    now = [100.0]
    screen, jobs, terminal = display(columns, 30, now)
    jobs.plan(plan(pretrain=3, features=40))
    jobs.begin(info(1, "pretrain", LONG, training(tmp_path, "a")), 0.0)
    jobs.begin(info(2, "features", LONG), 99.0)
    shown = lines(screen)
    assert max(map(len, shown)) <= min(columns, WIDEST)
    assert len(shown) == 6  # a rule, three lines of the training, one of the other job, one of all
    for job in list(jobs.running.values()):
        screen.finished(job)
    assert all(len(line) <= columns for line in terminal.getvalue().splitlines())
    assert len(terminal.getvalue().splitlines()) == 2


def test_the_display_shows_the_figures_of_a_training(tmp_path: Path) -> None:
    now = [100.0]
    screen, jobs, _ = display(80, 30, now)
    jobs.plan(plan(pretrain=3, all=1))
    jobs.begin(info(1, "pretrain", "run", training(tmp_path, "a")), 0.0)
    rule, job, bar, figures, total = [line.rstrip() for line in lines(screen)]
    assert set(rule) == {"─"}
    assert job.split() == ["running", "pretrain", "run", "100", "s"]
    assert "━" in bar and bar.endswith("1,200/20,000  4.2/s  74 min left")
    assert figures.strip() == "loss 3.21  lr 0.0032  1,503 images/s  data wait 3%  kNN 41.2%"
    assert total.startswith("all ") and total.endswith("0/3 jobs, 1 running, 2 waiting, 0 s so far")


def test_more_jobs_than_screen_lines_are_summarised(tmp_path: Path) -> None:
    now = [1.0]
    screen, jobs, _ = display(80, 10, now)
    jobs.plan(plan(features=100))
    for number in range(50):
        jobs.begin(info(number, "features", f"u{number}"), 0.0)
    shown = lines(screen)
    assert len(shown) <= 10
    assert shown[-2].strip() == f"and {50 - (len(shown) - 3)} more"


def test_each_ended_job_has_a_line_and_the_display_ends_with_the_last(tmp_path: Path) -> None:
    now = [0.0]
    screen, jobs, terminal = display(80, 30, now)
    jobs.plan(plan(features=1, few_shot=1))
    screen.started(jobs.begin(info(1, "features", "u"), 0.0))
    screen.started(jobs.begin(info(2, "few_shot", "v"), 0.0))
    now[0] = 7.0
    failed = jobs.fail(error(2, "few_shot", "v"), now[0])
    screen.failed(failed, "", "results/s/logs/few_shot/v.log")
    job = jobs.finish(1)
    assert job is not None
    screen.finished(job)
    assert screen._live is not None
    (tmp_path / "s/few_shot").mkdir(parents=True)
    (tmp_path / "s/few_shot/v.run.json").write_text('{"cached": true}')
    again = info(2, "few_shot", "v")
    again.__dict__["output"] = [f"{tmp_path}/s/few_shot/v.manifest.json"]
    jobs.begin(again, 7.0)
    job = jobs.finish(2)
    assert job is not None
    screen.finished(job)
    assert screen._live is None
    ended = re.findall(r"(failed|done) +(\w+) (\w) +(\d s|from the cache)", terminal.getvalue())
    assert ended == [
        ("failed", "few_shot", "v", "7 s"),
        ("done", "features", "u", "7 s"),
        ("done", "few_shot", "v", "from the cache"),
    ]
    assert "log: results/s/logs/few_shot/v.log" in terminal.getvalue()


@pytest.mark.parametrize(("end", "cached"), [("2025-12-02T09:34:47.056+00:00", True), ("9999", False)])
def test_what_a_job_of_the_command_made_is_not_from_the_cache(tmp_path: Path, end: str, cached: bool) -> None:
    (tmp_path / "v.run.json").write_text(f'{{"cached": true, "original": {{"end": "{end}"}}}}')
    jobs, job = Jobs(), info(2, "few_shot", "v")
    job.__dict__["output"] = [f"{tmp_path}/v.manifest.json"]
    assert jobs.begin(job, 0.0).cached == cached


def test_an_error_in_the_display_is_shown_instead_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    screen, jobs, _ = display(80, 30, [0.0])
    screen.started(jobs.begin(info(1, "features", "u"), 0.0))
    assert screen._live is not None
    monkeypatch.setattr(screen, "_overall", lambda now: 1 / 0)
    shown = screen._live.get_renderable()
    monkeypatch.undo()
    screen.close()
    assert str(shown) == "no display: ZeroDivisionError: division by zero; the run continues"


def test_displayed_names_and_messages_are_escaped(tmp_path: Path) -> None:
    now = [100.0]
    screen, jobs, terminal = display(100, 30, now)
    log, name = training(tmp_path, "a"), "[red] \x1b[2K\u202e"
    work = tmp_path / "a.work"
    (work / "progress.json").write_text(
        json.dumps({"what": "x", "done": 1, "total": 2, "per_second": 1, "note": "[/]\x1b"})
    )
    jobs.plan(plan(pretrain=3))
    job = jobs.begin(info(1, "pretrain", name, log), 0.0)
    screen.say(f"a\tb\n{name}\n")
    screen.failed(job, name, name)
    shown = "\n".join([*lines(screen), terminal.getvalue()])
    assert shown.count(r"[red] \x1b[2K\u202e") == 5 and r"[/]\x1b" in shown
    assert all(line.isprintable() for line in shown.expandtabs().split("\n"))
