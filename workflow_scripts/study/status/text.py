"""The progress of a study as text: tables, errors with their logs, and what to type next."""

from collections.abc import Iterator

from rich.console import Group, JustifyMethod, RenderableType
from rich.table import Table
from rich.text import Text

from workflow_scripts.core.errors.text import plain
from workflow_scripts.core.runtime.progress import span
from workflow_scripts.study.status.survey import Job, State, Status
from workflow_scripts.study.terminal import program

SHOWN = 10  # jobs or errors of one list; --json has all
COUNTED = (State.RUNNING, State.SILENT, State.FAILED)
STYLES = {State.FINISHED: "green", State.RUNNING: "cyan", State.SILENT: "yellow", State.FAILED: "bold red"}
TRAINING = "pretrain"  # listed as a training even before it has figures


def rendered(status: Status, now: float) -> RenderableType:
    """The status of one study.

    Args:
        now: seconds since the epoch.
    """
    parts: list[RenderableType] = [_text(_headline(status), "bold"), Text(), _stages(status)]
    running = status.of_state(State.RUNNING, State.SILENT)
    trainings = [job for job in running if job.stage == TRAINING or job.curve]
    if trainings:
        parts += [Text(), Text("trainings", "bold"), _trainings(trainings, now)]
    if others := [job for job in running if job not in trainings]:
        parts += [Text(), Text("other jobs", "bold"), _others(others, now)]
    if failed := status.of_state(State.FAILED):
        parts += [Text(), Text("errors", "bold"), *_errors(failed)]
    return Group(*parts, Text(), _text(f"next: {next_step(status)}"))


def _headline(status: Status) -> str:
    counts = {state: len(status.of_state(state)) for state in State}
    total = sum(counts.values())
    said = f"{counts[State.FINISHED]} of {total} artifacts finished" if status.planned else ""
    said = said or f"{counts[State.FINISHED]} artifacts finished, number of planned ones unknown"
    return ", ".join([f"{status.study}: {said}", *(f"{counts[state]} {state}" for state in COUNTED if counts[state])])


def _stages(status: Status) -> Table:
    shown = [state for state in COUNTED if status.of_state(state)]
    table = _table("stage", "finished", *shown)
    for stage, jobs in status.jobs.items():
        done = sum(job.state == State.FINISHED for job in jobs)
        finished = f"{done}/{len(jobs)}" if status.planned else str(done)
        counts = [sum(job.state == state for job in jobs) for state in shown]
        cells = [Text(str(count) if count else "", STYLES[state]) for state, count in zip(shown, counts, strict=True)]
        table.add_row(stage, Text(finished, STYLES[State.FINISHED] if done == len(jobs) else ""), *cells)
    return table


def _trainings(jobs: list[Job], now: float) -> Table:
    table = _table("run", "step", "epoch", "loss", "images/s", "left", "last sign")
    for job in jobs[:SHOWN]:
        row, progress = job.curve or {}, job.progress
        of = (progress.done, progress.total) if progress else (row.get("step"), row.get("steps"))
        step = "/".join(str(one) for one in of if one is not None)
        left = span(progress.seconds_left) if progress and progress.seconds_left is not None else ""
        forms = {"epoch": "{:.3g}", "loss": "{:.4g}", "images_per_s": "{:,.0f}"}
        numbers = ["" if row.get(name) is None else form.format(row[name]) for name, form in forms.items()]
        table.add_row(_text(job.name), step, *numbers, left if job.state == State.RUNNING else "", _ago(job, now))
    return _with_rest(table, jobs)


def _others(jobs: list[Job], now: float) -> Table:
    table = _table("job", "progress", "last sign")
    for job in jobs[:SHOWN]:
        table.add_row(_text(f"{job.stage}/{job.name}"), _text(str(job.progress or "")), _ago(job, now))
    return _with_rest(table, jobs)


def _with_rest(table: Table, jobs: list[Job]) -> Table:
    if len(jobs) > SHOWN:
        table.add_row(f"… and {len(jobs) - SHOWN} more")
    return table


def _errors(failed: list[Job]) -> Iterator[Text]:
    latest = sorted(failed, key=lambda job: job.seen or 0.0, reverse=True)
    for job in latest[:SHOWN]:
        yield _text(f"{job.stage}/{job.name}: {job.error}", STYLES[State.FAILED])
        yield _text(f"  log: {job.log}")
    if len(latest) > SHOWN:
        yield Text(f"… and {len(latest) - SHOWN} more")


def next_step(status: Status) -> str:
    """What to type next."""
    again = "run the same snakemake command again; it continues where it stopped"
    if not status.planned:
        return "run snakemake -n with the config files of this study; this records which artifacts are planned"
    if not status.of_state(*COUNTED, State.FINISHED):
        return "nothing has been computed yet; start snakemake with the config files of this study"
    if not status.of_state(*COUNTED, State.WAITING):
        if status.outdated:
            return f"unless Snakemake is running, {again}; the summary was {status.outdated}"
        return f"{program()} show {status.study}; the report is {status.study / 'report/index.html'}"
    if status.of_state(State.FAILED):
        runs = "wait for the running jobs, " if status.of_state(State.RUNNING) else ""
        return f"{runs}fix the errors, and {again}"
    if status.of_state(State.RUNNING):
        return f"wait for the running jobs; to look again: {program()} status {status.study}"
    if status.of_state(State.SILENT):
        return f"if Snakemake and its jobs have ended (on SLURM: squeue --me), {again}"
    return f"if Snakemake is not running, {again}"


def _ago(job: Job, now: float) -> Text:
    ago = "" if job.seen is None else f"{span(max(0.0, now - job.seen))} ago"
    return Text(ago, STYLES[job.state])


def _text(text: str, style: str = "") -> Text:
    """Names and messages as they are: rich would take brackets in a string for markup, and escapes for its own."""
    return Text(plain(text), style)


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for number, column in enumerate(columns):
        justify: JustifyMethod = "left" if column in ("progress", "last sign") or number == 0 else "right"
        table.add_column(column, justify=justify, no_wrap=column not in ("job", "run", "progress"), overflow="fold")
    return table
