"""The data card's picture: rows by final state, kept share by host and year."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from workflow_scripts.acquisition.states import State

KEPT, LOST = "#2a6f97", "#b5523b"
LONGEST = 28  # characters of a label


def draw(card: Mapping[str, Any], path: Path, hosts_shown: int) -> None:
    """Write the picture of a data card (see :func:`workflow_scripts.acquisition.card.card`) as PNG."""
    hosts = sorted(card["host"].items(), key=lambda item: (-item[1]["urls"], item[0]))[:hosts_shown]
    years = sorted(card["year"].items())
    heights = [max(2, len(part)) for part in (card["states"], hosts, years)]
    figure = Figure(figsize=(8, 2.2 + 0.3 * sum(heights)), layout="constrained", dpi=120)
    axes = figure.subplots(3, 1, height_ratios=heights)
    kept = card["kept"]
    figure.suptitle(f"{card['rows']:,} annotation rows, {kept['urls']:,} urls asked for, {kept['images']:,} images")
    _states(axes[0], card["states"])
    more = len(card["host"]) - len(hosts)
    _shares(
        axes[1], hosts, "images per url asked for, by host" + (f" ({more} smaller hosts not shown)" if more else "")
    )
    _shares(axes[2], years, "images per url asked for, by year")
    FigureCanvasAgg(figure).print_png(path, metadata={"Software": None})


def _states(axis: Axes, states: Mapping[str, int]) -> None:
    ordered = sorted(states.items(), key=lambda item: (item[1], item[0]))
    names, counts = [name for name, _ in ordered], [count for _, count in ordered]
    bars = axis.barh(names, counts, color=[KEPT if name == State.OK else LOST for name in names])
    axis.bar_label(bars, [f"{count:,}" for count in counts], padding=3)
    axis.set_title("rows by final state (log scale)", loc="left", fontsize=10)
    axis.set_xscale("log")
    axis.set_xlim(0.7, 4 * max([*counts, 1]))
    axis.spines[["top", "right"]].set_visible(False)


def _shares(axis: Axes, groups: list[tuple[str, Any]], title: str) -> None:
    labels = [f"{_plain(name)} ({one['urls']:,})" for name, one in groups]
    shares = [one["share"] for _, one in groups]
    below = [max(0.0, one["share"] - one["low"]) for _, one in groups]
    above = [max(0.0, one["high"] - one["share"]) for _, one in groups]
    axis.errorbar(shares, range(len(groups)), xerr=(below, above), fmt="o", color=KEPT, capsize=3)
    axis.set_yticks(range(len(groups)), labels)
    axis.set_ylim(len(groups) - 0.5, -0.5)
    axis.set_xlim(-0.02, 1.02)
    axis.grid(axis="x", alpha=0.3)
    axis.set_title(title, loc="left", fontsize=10)
    axis.spines[["top", "right"]].set_visible(False)


def _plain(text: str) -> str:
    """A label from the outside: short, and without the sign that starts a formula."""
    short = text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
    return short.replace("$", r"\$")
