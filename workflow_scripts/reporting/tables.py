"""A table of text as CSV, LaTeX and Markdown."""

import csv
import hashlib
import io
import math
import re
import string
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from workflow_scripts.reporting.text import visible

Cell = str | int | float | None
LONGEST = 60  # letters of a stem
_IN_STEMS = frozenset(string.ascii_lowercase + string.digits + "_-")
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
_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>()#+!|~&$])")


class Table(NamedTuple):
    """A table.

    Attributes:
        name: stem of its files, unique on a page.
        title: its caption, as text.
        columns: heads of its columns; cells of all but the first are aligned to the right.
        rows: cells as text.
        best: row and column of the cells that are bold.
    """

    name: str
    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    best: Collection[tuple[int, int]] = ()

    def files(self) -> dict[str, bytes]:
        """Content by format: ``csv``, ``tex`` (needs the package booktabs) and ``md``."""
        written = csv_file(
            self.columns, [[cell.replace("−", "-").replace("\u202f", "") for cell in row] for row in self.rows]
        )
        return {"csv": written, "tex": self._latex().encode(), "md": self._markdown().encode()}

    def _latex(self) -> str:
        head, *body = self._cells(latex, r"\textbf{{{}}}")
        lines = [
            f"% {visible(self.title)}",
            rf"\begin{{tabular}}{{l{'r' * (len(self.columns) - 1)}}}",
            r"\toprule",
            f"{' & '.join(head)} \\\\",
            r"\midrule",
            *(f"{' & '.join(row)} \\\\" for row in body),
            r"\bottomrule",
            r"\end{tabular}",
        ]
        return "\n".join(lines) + "\n"

    def _markdown(self) -> str:
        head, *body = self._cells(markdown, "**{}**")
        lines = [head, ["---", *["--:"] * (len(self.columns) - 1)], *body]
        return f"{markdown(self.title)}\n\n" + "".join(f"| {' | '.join(line)} |\n" for line in lines)

    def _cells(self, escaped: Callable[[str], str], bold: str) -> list[list[str]]:
        """Heads and rows."""
        rows = [
            [
                bold.format(escaped(cell)) if (at, column) in self.best else escaped(cell)
                for column, cell in enumerate(row)
            ]
            for at, row in enumerate(self.rows)
        ]
        return [[escaped(name) for name in self.columns], *rows]


def latex(text: str) -> str:
    """``text`` with every character that LaTeX would take for a command escaped."""
    parts = (visible(part) for part in text.split("\u202f"))  # between thousands
    return r"\,".join("".join(_LATEX.get(char, char) for char in part) for part in parts)


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
    kept = "".join(char if char in _IN_STEMS else "-" for char in same.lower())
    return (
        kept
        if kept == same and len(kept) <= 60
        else f"{kept[:50]}-{hashlib.sha256(ascii(text).encode()).hexdigest()[:8]}"
    )
