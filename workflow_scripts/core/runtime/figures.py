"""Figures of a job's speed and memory in run records: one row each, with the rules by which they add up.

Nothing here is part of a key or of an artifact's bytes. A figure that a machine does not tell is missing, never 0.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

Figures = Mapping[str, float]


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def _share(value: float) -> str:
    return f"{value:.0%}"


def _size(value: float) -> str:
    from humanize import naturalsize  # here, since each job's process imports this module

    return naturalsize(value)


def _seconds(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A figure.

    Attributes:
        name: its name in run records.
        title: heading of its column in tables; empty for one that only serves others.
        text: how it is shown.
        in_turn: its value for attempts or jobs that follow each other, from theirs.
        at_once: its value for the processes of one job.
        ratio: of a figure that follows from two others: their names.
    """

    name: str
    title: str = ""
    text: Callable[[float], str] = _number
    in_turn: Callable[[Iterable[float]], float] = sum
    at_once: Callable[[Iterable[float]], float] = max
    ratio: tuple[str, str] | None = None


# ``images`` are those that were waited for: the sources of a training, or captions where a stage reads only these.
# Each process of a job counts the images of the whole job.
FIGURES = {
    figure.name: figure
    for figure in (
        Figure(name="images", title="images"),
        Figure(name="loop_seconds"),
        Figure(name="wait_seconds"),
        Figure(name="images_per_s", title="images/s", ratio=("images", "loop_seconds")),
        Figure(name="data_wait", title="data wait", text=_share, ratio=("wait_seconds", "loop_seconds")),
        Figure(name="gpu_peak_bytes", title="GPU memory", text=_size, in_turn=max),
        Figure(name="memory_peak_bytes", title="memory", text=_size, in_turn=max),
        Figure(name="read_bytes", title="read", text=_size, at_once=sum),
        Figure(name="work_seconds", title="seconds", text=_seconds),
    )
}


def in_turn(several: Iterable[Figures]) -> dict[str, float]:
    """The figures of attempts or jobs that follow each other, taken together."""
    return _together(list(several), lambda figure: figure.in_turn)


def at_once(several: Iterable[Figures]) -> dict[str, float]:
    """The figures of a job from those of its processes."""
    return _together(list(several), lambda figure: figure.at_once)


def share(figures: Figures, jobs: int) -> dict[str, float]:
    """The part of one of ``jobs`` jobs that one process did together: rates and peaks are those of the process."""
    parts = {name: value / jobs if FIGURES[name].in_turn is sum else value for name, value in figures.items()}
    return _with_ratios(parts)


def known(figures: object) -> dict[str, float]:
    """Those of the figures in a run record that this version knows and that are numbers, without what follows."""
    found = figures if isinstance(figures, dict) else {}
    return {
        name: value
        for name, value in found.items()
        if name in FIGURES and FIGURES[name].ratio is None and type(value) in (int, float) and value >= 0
    }


def _together(several: list[Figures], rule: Callable[[Figure], Callable[[Iterable[float]], float]]) -> dict[str, float]:
    values = {name: [one[name] for one in several if name in one] for name in FIGURES}
    return _with_ratios({name: rule(FIGURES[name])(found) for name, found in values.items() if found})


def _with_ratios(values: dict[str, float]) -> dict[str, float]:
    found = {name: value for name, value in values.items() if FIGURES[name].ratio is None}
    for name, figure in FIGURES.items():
        if figure.ratio and figure.ratio[0] in values and values.get(figure.ratio[1]):
            found[name] = values[figure.ratio[0]] / values[figure.ratio[1]]
    return found
