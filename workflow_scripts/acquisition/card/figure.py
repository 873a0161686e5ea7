"""The data card's figure: rows by final state, kept share by host, by year, and by both."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from workflow_scripts.acquisition.states import State

KEPT, LOST = "#2a6f97", "#b5523b"
HOSTS_SHOWN = 12  # the largest; the JSON file lists all
LONGEST = 28  # characters of a label
DARK_BELOW = 0.55  # share below which a cell is too dark for black text


def draw(card: Mapping[str, Any], rot: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Write the figure of a data card and its link rot as PNG; of images that were not fetched, the states alone.

    See :func:`workflow_scripts.acquisition.card.card.card` and :func:`workflow_scripts.acquisition.card.card.link_rot`.
    """
    hosts = sorted(card["host"].items(), key=lambda item: (-item[1]["urls"], item[0]))[:HOSTS_SHOWN]
    years, kept, fetched = sorted(card["year"].items()), card["kept"], set(card["host"]) != {""}
    heights = [max(2, len(part)) for part in (card["states"], *([hosts, years, hosts] if fetched else []))]
    figure = Figure(figsize=(8, (3.4 if fetched else 1.4) + 0.3 * sum(heights)), layout="constrained", dpi=120)
    axes = figure.subplots(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
    requested = f", {kept['urls']:,} URLs requested" if fetched else ""
    figure.suptitle(f"{card['rows']:,} annotation rows{requested}, {kept['images']:,} images")
    _states(axes[0], card["states"])
    if fetched:
        more = len(card["host"]) - len(hosts)
        note = f" ({more} smaller hosts not shown)" if more else ""
        _shares(axes[1], hosts, "images per requested URL, by host" + note)
        _shares(axes[2], years, "images per requested URL, by year of the post")
        _rot(axes[3], [name for name, _ in hosts], [int(year) for year, _ in years], rot)
    FigureCanvasAgg(figure).print_png(path, metadata={"Software": None})


def _rot(axis: Axes, hosts: list[str], years: list[int], rot: Sequence[Mapping[str, Any]]) -> None:
    """Cells by host and year: images in per cent of URLs, and the number of URLs."""
    shares = np.full((len(hosts), len(years)), np.nan)
    for row in rot:
        if row["host"] in hosts:
            at = hosts.index(row["host"]), years.index(row["year"])
            shares[at] = row["share"]
            dark = row["share"] < DARK_BELOW
            text = f"{100 * row['share']:.0f} %\n{_short(row['urls'])}"
            axis.text(at[1], at[0], text, ha="center", va="center", fontsize=6, color="white" if dark else "black")
    axis.imshow(np.ma.masked_invalid(shares), cmap="cividis", vmin=0, vmax=1, aspect="auto")
    axis.set_xticks(range(len(years)), [str(year) for year in years], fontsize=8)
    axis.set_yticks(range(len(hosts)), [_plain(host) for host in hosts])
    axis.set_title("link rot: images in % of urls, and urls, by host and year of the post", loc="left", fontsize=10)
    axis.spines[:].set_visible(False)


def _short(number: int) -> str:
    """A count in at most five characters."""
    for factor, unit in ((1_000_000, "M"), (1_000, "k")):
        if number >= factor:
            return f"{number / factor:.1f}{unit}" if number < 100 * factor else f"{number / factor:.0f}{unit}"
    return str(number)


def _states(axis: Axes, states: Mapping[str, int]) -> None:
    ordered = sorted(states.items(), key=lambda item: (item[1], item[0]))
    names, counts = [name for name, _ in ordered], [count for _, count in ordered]
    bars = axis.barh(names, counts, color=[KEPT if name == State.OK else LOST for name in names])
    axis.bar_label(bars, [f"{count:,}" for count in counts], padding=3)
    axis.set_title("final states (log scale)", loc="left", fontsize=10)
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
    """An untrusted label: shortened, and without the character that starts a formula."""
    short = text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
    return short.replace("$", r"\$")
