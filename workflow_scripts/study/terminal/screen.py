"""The display on a terminal: a line for each job that ended, and below them the running jobs with their bars."""

from collections.abc import Callable
from typing import TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from workflow_scripts.core.errors.text import plain, plain_lines
from workflow_scripts.core.runtime.progress import span
from workflow_scripts.study.terminal.jobs import Jobs, StartedJob, figures_of, training_text

REFRESHES_PER_SECOND = 2
LONG = 5.0  # seconds after which a job without figures shows its time
WIDEST = 110  # columns; on wider terminals times would be too far from their jobs
MARGIN = 4  # lines of the terminal that are left free


class Screen:
    """Draws the display; Snakemake's messages scroll above it."""

    def __init__(self, stream: TextIO, jobs: Jobs, clock: Callable[[], float], no_color: bool = False) -> None:
        self._jobs, self._clock, self._start = jobs, clock, clock()
        self.console = Console(file=stream, highlight=False, no_color=no_color)
        self._live: Live | None = None

    @property
    def _width(self) -> int:
        return min(self.console.width, WIDEST)

    def say(self, text: str, style: str = "") -> None:
        """Print a message above the display."""
        self.console.print(Text(plain_lines(text.rstrip("\n")), style))

    def started(self, job: StartedJob) -> None:
        """Open the display at the first job."""
        if self._live is None:
            self._start = job.start
            self._live = Live(
                console=self.console,
                get_renderable=self._drawn,
                refresh_per_second=REFRESHES_PER_SECOND,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
                vertical_overflow="crop",
            )
            self._live.start()

    def finished(self, job: StartedJob) -> None:
        """Print a line for the job if it made an artifact; close the display after the last job."""
        if job.unit:
            self._line("done", "green", job, "from the cache" if job.cached else span(self._clock() - job.start))
        if self._jobs.total and self._jobs.done >= self._jobs.total:
            self.close()

    def failed(self, job: StartedJob, why: str, logs: str) -> None:
        """Print a line for the job, and one with the reason and the path of its log."""
        self._line("failed", "bold red", job, span(self._clock() - job.start))
        self.say(f"        {f'{why}; ' if why else ''}log: {logs}", "red")

    def tick(self) -> None:
        """Do nothing: the display refreshes itself."""

    def close(self) -> None:
        """Remove the display."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _drawn(self) -> RenderableType:
        """The display; an error would end the thread that refreshes it."""
        try:
            return self.renderable()
        except Exception as error:  # noqa: BLE001 - it is shown
            return Text(plain(f"no display: {type(error).__name__}: {error}; the run continues"), "red")

    def renderable(self) -> RenderableType:
        """The current display: running jobs, then the progress of the command."""
        now = self._clock()
        parts: list[RenderableType] = []
        free = max(1, self.console.height - MARGIN)
        for shown, job in enumerate(list(self._jobs.running.values())):
            lines = self._job(job, now)
            if len(lines) > free:
                parts.append(Text(f"and {len(self._jobs.running) - shown} more", "dim"))
                break
            free -= len(lines)
            parts += lines
        return Group(Text("─" * self._width, "dim"), *parts, self._overall(now))

    def _line(self, word: str, style: str, job: StartedJob, took: str) -> None:
        name = Text(f"{job.stage} ", no_wrap=True) + Text(plain(job.unit))
        self.console.print(self._row(Text(word, style), name, took))

    def _row(self, word: Text, name: Text, right: str) -> RenderableType:
        space = self._width - 8 - max(1, len(right))
        name.truncate(max(8, space - 2), overflow="ellipsis")
        row = Table.grid()
        row.add_column(width=8, no_wrap=True)
        row.add_column(width=space, no_wrap=True)
        row.add_column(no_wrap=True)
        row.add_row(word, name, Text(right, "dim"))
        return row

    def _job(self, job: StartedJob, now: float) -> list[RenderableType]:
        figures = figures_of(job)
        seconds = now - job.start
        name = Text(f"{job.stage} ", "bold") + Text(plain(job.unit), "not bold")
        row = self._row(Text("running", "cyan"), name, span(seconds) if seconds > LONG else "")
        lines: list[RenderableType] = [row]
        if progress := figures.progress:
            left = f"{span(progress.seconds_left)} left" if progress.seconds_left is not None else ""
            of = f"{progress.done:,}" + (f"/{progress.total:,}" if progress.total is not None else "")
            words = [of, f"{progress.per_second:.1f}/s", left, progress.note]
            lines.append(self._bar(progress.done, progress.total, "  ".join(filter(None, words))))
        if training := training_text(figures.curve):
            text = Text(f"        {training}")
            text.truncate(self._width, overflow="ellipsis")
            lines.append(text)
        return lines

    def _bar(self, done: int, total: int | None, words: str, label: str = "") -> RenderableType:
        row = Table.grid(padding=(0, 2, 0, 0))
        row.add_column(width=8 - 2)
        row.add_column(width=self._width // 4)
        row.add_column(no_wrap=True, overflow="ellipsis", max_width=self._width * 3 // 4 - 12)
        # Rich's own colours include red, which looks like a failure.
        bar = ProgressBar(total=total, completed=done, complete_style="cyan", finished_style="green") if total else ""
        row.add_row(label, bar, Text(plain(words)))
        return row

    def _overall(self, now: float) -> RenderableType:
        jobs = self._jobs
        failed = f", {len(jobs.failed)} failed" if jobs.failed else ""
        running = len(jobs.running)
        waiting = max(0, jobs.total - jobs.done - running - len(jobs.failed))
        words = f"{jobs.done}/{jobs.total} jobs{failed}, {running} running, {waiting} waiting, "
        words += f"{span(now - self._start)} so far"
        return self._bar(jobs.done, jobs.total or None, words, "all")
