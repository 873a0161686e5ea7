"""A figure: one drawing as markup for the page, as SVG and PDF that open by themselves, and its data as CSV."""

import io
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from xml.etree.ElementTree import Element

import matplotlib
from markupsafe import Markup
from matplotlib.artist import Artist
from matplotlib.axis import Axis
from matplotlib.figure import Figure as Canvas
from matplotlib.text import Text
from matplotlib.ticker import FuncFormatter

from workflow_scripts.reporting.drawing.style import PAGE, RC
from workflow_scripts.reporting.drawing.svg import TIP, inline, standalone, tidy
from workflow_scripts.reporting.tables import Cell, csv_file
from workflow_scripts.reporting.text import visible

logging.getLogger("fontTools.subset").setLevel(logging.WARNING)  # it tells each step at level INFO


@dataclass(frozen=True)
class Figure:
    """A figure.

    Attributes:
        name: stem of its files, unique on a page; from :func:`stem` if it has untrusted parts.
        title: heading, as text.
        alt: what it shows, in a sentence, for those who do not see it.
        columns, rows: the numbers that are drawn.
        draw: draws on an empty matplotlib figure in the style of :mod:`workflow_scripts.reporting.drawing.style`.
            Colours must be the style's; they change with the page's light, dark and print style sheet.
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
        return Markup(inline(self._drawn[1]))

    def files(self) -> dict[str, bytes]:
        """Content by format: ``svg``, ``pdf`` and ``csv``."""
        metadata = {"Creator": None, "Producer": None, "CreationDate": None, "Title": visible(self.title)}
        canvas, root = self._drawn
        pdf = self._printed(canvas, "pdf", metadata)
        return {"svg": standalone(root), "pdf": pdf, "csv": csv_file(self.columns, self.rows)}

    @cached_property
    def _drawn(self) -> tuple[Canvas, Element]:
        """The figure with its layout, and as SVG."""
        with self._style():
            canvas = Canvas(figsize=self.size, layout="constrained")
            self.draw(canvas)
        for artist in canvas.findobj():
            _make_safe(artist)
        metadata = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        svg = self._printed(canvas, "svg", metadata)
        canvas.set_layout_engine("none")  # it is found
        return canvas, tidy(svg, visible(self.title), visible(self.alt))

    def _printed(self, canvas: Canvas, extension: str, metadata: Mapping[str, str | None]) -> bytes:
        out = io.BytesIO()
        with self._style(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", r"Glyph \d+ .*missing from font", UserWarning)
            canvas.savefig(out, format=extension, metadata=metadata)
        return out.getvalue()

    @contextmanager
    def _style(self) -> Iterator[None]:
        """The project's style in place of the settings of whoever runs it."""
        with matplotlib.rc_context():
            matplotlib.rcdefaults()
            matplotlib.rcParams.update({**RC, "svg.hashsalt": self.name})
            yield


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
