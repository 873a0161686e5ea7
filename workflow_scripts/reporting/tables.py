"""A table of text as CSV, LaTeX and Markdown."""

import csv
import hashlib
import io
import math
import re
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from workflow_scripts.reporting.text import visible

Cell = str | int | float | None
_LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "{''}",
    "`": r"\`{}",
    "[": "{[}",  # after the end of a row, both begin an argument
    "]": "{]}",
    "*": "{*}",
    "−": "$-$",
    "±": r"$\pm$",
    "×": r"$\times$",
    "→": r"$\rightarrow$",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "–": "--",
    "—": "---",
    "…": r"\ldots{}",
}
MANY, LONG = 4, 40  # columns, after which intervals get a line of their own in LaTeX; rows, after which pages break
WIDE = 30  # letters of a column of a long table, after which its lines break
UPRIGHT, LETTERS, ACROSS = 7, 90, 150  # columns and small letters that an upright page holds, and letters of one across
_WORD = re.compile(r"[^\s_./]+[_./]?")  # where a line of a table can break
_POWER = re.compile(r"\b1e-0?(\d{1,3})\b")
_JOINT = re.compile(r"(\\_|[./](?=[a-z]))")  # of a name's parts
_NOT_IN_STEMS = re.compile(r"[^a-z0-9_-]")
_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>()#+!|~&$])")


class Table(NamedTuple):
    """A table.

    Attributes:
        name: stem of its files, unique on a page.
        title: its caption, as text.
        columns: heads of its columns; cells of all but the first are aligned to the right, unless ``left``.
        rows: cells as text.
        best: row and column of the cells that are bold.
        note: what a reader must know besides the title, in sentences.
    """

    name: str
    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    best: Collection[tuple[int, int]] = ()
    note: str = ""
    left: bool = False

    @property
    def caption(self) -> str:
        """Title and note as LaTeX: ``\\caption{...}``."""
        return rf"\caption{{{latex(f'{sentence(self.title)} {self.note}'.strip())}}}"

    def files(self) -> dict[str, bytes]:
        """Content by format: ``csv``, ``tex`` (needs the package booktabs) and ``md``."""
        plain = [[cell.replace("−", "-").replace("\u202f", "") for cell in row] for row in self.rows]
        return {"csv": csv_file(self.columns, plain), "tex": self._latex().encode(), "md": self._markdown().encode()}

    def _latex(self) -> str:
        """The table below its caption as a comment. Many columns: intervals and units are on a line of their own. Many
        rows: a ``longtable`` as wide as the page's lines, with its caption (needs the packages array and longtable)."""
        long = len(self.rows) > LONG
        head, *body = [f"{' & '.join(row)} \\\\" for row in self._cells(breakable if long else latex)]
        if long:
            above = [self.caption + r" \\", r"\toprule", head, r"\midrule", r"\endfirsthead"]
            above += [r"\toprule", head, r"\midrule", r"\endhead", r"\bottomrule", r"\endfoot"]
            lines = [rf"\begin{{longtable}}{{{self._widths()}}}", *above, *body, r"\end{longtable}"]
        else:
            if len(self.columns) > MANY:
                head, body = self._stacked()
            columns = f"@{{}}l{('l' if self.left else 'r') * (len(self.columns) - 1)}@{{}}"
            lines = [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", head, r"\midrule", *body]
            lines += [r"\bottomrule", r"\end{tabular}"]
        return "\n".join([f"% {self.caption}", *lines]) + "\n"

    def _stacked(self) -> tuple[str, list[str]]:
        """Head and rows, each on two lines if a cell has an interval or a head a unit."""
        parts = [[_unit(head) for head in self.columns], *([_interval(cell) for cell in row] for row in self.rows)]
        (heads, *above), (units, *below) = ([[cell[at] for cell in row] for row in parts] for at in (0, 1))
        first = self._replace(columns=heads, rows=above)._cells(latex)
        small = self._replace(columns=units, rows=below, best=())
        second = small._cells(lambda cell: cell and rf"\scriptsize {latex(cell)}")
        head, *body = [
            "\n".join(f"{' & '.join(row)} \\\\" for row in rows if any(row)) for rows in zip(first, second, strict=True)
        ]
        apart = "\\addlinespace\n" if any(map(any, below)) else ""
        return head, [*body[:1], *(f"{apart}{row}" for row in body[1:])]

    def _widths(self) -> str:
        """Columns of a long table, as wide as their texts need in relation to each other.

        Where that is more than a page has, the lines of long texts break, but no word does.
        """
        cells = [[str(cell) for cell in column] for column in zip(self.columns, *self.rows, strict=True)]
        words = [max((len(word) for cell in column for word in _WORD.findall(cell)), default=0) for column in cells]
        longest = [max(map(len, column)) for column in cells]
        letters = ACROSS if len(self.columns) > UPRIGHT else LETTERS
        for most in range(WIDE, 0, -1):
            needed = [max(min(length, most), word) + 2 for length, word in zip(longest, words, strict=True)]
            if sum(needed) <= letters:
                break
        shares = [f"{need / sum(needed):.3f}" for need in needed]
        return "".join(
            rf">{{\raggedright\arraybackslash}}p{{\dimexpr {share}\linewidth-2\tabcolsep}}" for share in shares
        )

    def _markdown(self) -> str:
        head, *body = self._cells(markdown, "**{}**")
        lines = [head, ["---", *["---" if self.left else "--:"] * (len(self.columns) - 1)], *body]
        above = [markdown(text) for text in (self.title, self.note) if text]
        return "".join(f"{text}\n\n" for text in above) + "".join(f"| {' | '.join(line)} |\n" for line in lines)

    def _cells(self, escaped: Callable[[str], str], bold: str = r"\textbf{{{}}}") -> list[list[str]]:
        """Heads and rows."""
        rows = [[escaped(cell) for cell in row] for row in self.rows]
        for at, column in self.best:
            rows[at][column] = bold.format(rows[at][column])
        return [[escaped(name) for name in self.columns], *rows]


def sentence(title: str) -> str:
    """A title as the first sentence of a caption: with a capital, but ``kNN``, and one mark at its end."""
    begun = title if title[1:2].isupper() else f"{title[:1].upper()}{title[1:]}"
    return begun if begun.endswith((".", "?", "!")) else f"{begun}."


def latex(text: str) -> str:
    """``text`` with every character that LaTeX would take for a command escaped."""
    parts = (visible(part) for part in text.split("\u202f"))  # between thousands
    return r"\,".join("".join(_LATEX.get(char, char) for char in part) for part in parts)


def breakable(text: str) -> str:
    """As LaTeX, with powers of ten, and places where lines of names without spaces may break."""
    return _JOINT.sub(r"\1\\allowbreak{}", _POWER.sub(r"$10^{-\1}$", latex(text)))


def _interval(cell: str) -> tuple[str, str]:
    """A value and its interval, as ``[0.1, 0.2]`` or ``0.1–0.2``; else the cell and an empty text."""
    value, _, interval = cell.partition(" ")
    known = interval.startswith("[") or ("–" in interval and " " not in interval)
    return (value, interval) if known else (cell, "")


def _unit(head: str) -> tuple[str, str]:
    """A head and what it has in brackets or after a comma, if anything."""
    name, bracket, unit = head.partition(" (")
    if bracket:
        return name, f"({unit}"
    name, _, unit = head.partition(", ")
    return name, unit


def markdown(text: str) -> str:
    """``text`` with every character that Markdown or HTML would take for markup escaped."""
    return _MARKDOWN.sub(r"\\\1", visible(text))


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


def stem(text: str) -> str:
    """``text`` as the stem of a file: lower-case letters, digits, ``_`` and ``-``; with a hash if it had others but
    spaces, or is long."""
    same = text.replace(" ", "-")
    kept = _NOT_IN_STEMS.sub("-", same.lower())
    if kept == same and len(kept) <= 60:
        return kept
    return f"{kept[:50]}-{hashlib.sha256(ascii(text).encode()).hexdigest()[:8]}"
