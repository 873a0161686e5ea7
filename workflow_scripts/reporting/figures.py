"""A figure: one drawing as markup for the page, as SVG and PDF that open by themselves, and its data as CSV."""

import csv
import io
import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from xml.etree.ElementTree import Element

import matplotlib
from markupsafe import Markup
from matplotlib.artist import Artist
from matplotlib.axis import Axis
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure as Canvas
from matplotlib.text import Text
from matplotlib.ticker import FuncFormatter

from workflow_scripts.reporting.style import PAGE, RC
from workflow_scripts.reporting.svg import TIP, inline, standalone, tidy
from workflow_scripts.reporting.text import visible

Cell = str | int | float | None


@dataclass(frozen=True)
class Figure:
    """A figure.

    Attributes:
        name: stem of its files, unique on a page; from :func:`stem` if it has untrusted parts.
        title: heading, as text.
        alt: what it shows, in a sentence, for those who do not see it.
        columns, rows: the numbers that are drawn.
        draw: draws on an empty matplotlib figure in the style of :mod:`workflow_scripts.reporting.style`. Colours must
            be the style's; they change with the page's light, dark and print style sheet.
        size: width and height in inches.
    """

    name: str
    title: str
    alt: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    draw: Callable[[Canvas], None]
    size: tuple[float, float] = (PAGE, 3.0)

    @property
    def inline(self) -> Markup:
        """Markup for the page: no scripts, styles or references to other files."""
        return Markup(inline(self._tidied))

    @cached_property
    def _tidied(self) -> Element:
        canvas = self._drawn(FigureCanvasSVG, "svg", {"Creator": None, "Date": None, "Format": None, "Type": None})
        return tidy(canvas, visible(self.title), visible(self.alt))

    def files(self) -> dict[str, bytes]:
        """Content by format: ``svg``, ``pdf`` and ``csv``."""
        metadata = {"Creator": None, "Producer": None, "CreationDate": None, "Title": visible(self.title)}
        pdf = self._drawn(FigureCanvasPdf, "pdf", metadata)
        return {"svg": standalone(self._tidied), "pdf": pdf, "csv": csv_file(self.columns, self.rows)}

    def _drawn(self, kind: type[Any], extension: str, metadata: dict[str, str | None]) -> bytes:
        out = io.BytesIO()
        with matplotlib.rc_context(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", r"Glyph \d+ .*missing from font", UserWarning)
            matplotlib.rcdefaults()  # not the settings of whoever runs it
            matplotlib.rcParams.update({**RC, "svg.hashsalt": self.name})
            canvas = Canvas(figsize=self.size, layout="constrained")
            kind(canvas)
            self.draw(canvas)
            for artist in canvas.findobj():
                _make_safe(artist)
            canvas.savefig(out, format=extension, metadata=metadata)
        return out.getvalue()


def _make_safe(artist: Artist) -> None:
    """Unclipped, so that the SVG has no references but those to its markers; its text without characters that XML can't
    hold."""
    artist.set_clip_on(False)
    if isinstance(artist, Text):
        artist.set_text("\n".join(visible(line) for line in artist.get_text().split("\n")))
    if isinstance(artist, Axis) and isinstance(formatter := artist.get_major_formatter(), FuncFormatter):
        named = formatter.func  # names of ticks
        formatter.func = lambda value, at: visible(named(value, at))


def tip(artist: Artist, text: str) -> None:
    """Show ``text`` when the pointer rests on a drawn line or patch."""
    artist.set_gid(f"{TIP}{visible(text)}")


def stem(text: str) -> str:
    """``text`` as the stem of a file or a part of it: lower-case letters, digits and hyphens, at most 60."""
    kept = "".join(char if char.isascii() and char.isalnum() else "-" for char in text.lower())
    return "-".join(filter(None, kept.split("-")))[:60].strip("-")


def csv_file(columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> bytes:
    """A CSV file as UTF-8; numbers with all their digits, missing and undefined ones empty."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerows([columns, *([_cell(value) for value in row] for row in rows)])
    return out.getvalue().encode("utf-8")


def _cell(value: Cell) -> Cell:
    if isinstance(value, str):
        return visible(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value
