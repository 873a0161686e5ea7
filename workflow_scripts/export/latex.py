"""How LaTeX includes the tables and figures of a paper's folder: each in a float that fits a page, with its caption."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple
from xml.etree import ElementTree

from markupsafe import Markup

from workflow_scripts.reporting.tables import latex, markdown

MOST = 7  # columns of a table on an upright page
FITTED = Markup(
    r"\newcommand{\fitted}[1]{\resizebox*{!}{\ifdim\totalheight>.8\textheight.8\textheight\else\totalheight\fi}{%"
    "\n"
    r"  \resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{\input{#1}}}}"
)
"""Includes a table, smaller if it is wider or higher than the text."""
MAIN = ("table-primary", "figure-primary", "table-runs")
"""What the main text of a paper needs, in this order."""


class Float(NamedTuple):
    """A table or figure.

    Attributes:
        name: stem of its files.
        title: what it shows, as Markdown.
        latex: the lines that include it.
    """

    name: str
    title: Markup
    latex: Markup


def floats(files: Mapping[str, bytes]) -> list[Float]:
    """The tables and figures among a folder's files."""
    stems = {name.rpartition(".")[0] for name in files}
    tables = [name for name in stems if name.startswith("table-")]
    figures = [name for name in stems if name.startswith("figure-")]
    return [
        *(table(name, *(files[f"{name}.{kind}"].decode() for kind in ("tex", "md"))) for name in tables),
        *(figure(name, files[f"{name}.svg"]) for name in figures),
    ]


def table(name: str, tex: str, md: str) -> Float:
    """A table, from its files as LaTeX and Markdown; a wide one is on a page across."""
    caption = tex.partition("\n")[0].removeprefix("% ")
    heads = tex.partition("\\toprule\n")[2].partition("\n")[0]
    if r"\begin{longtable}" in tex:
        block = rf"{{\scriptsize\setlength\tabcolsep{{3pt}}\input{{results/{name}}}}}"
    else:
        block = "\n".join(
            [
                r"\begin{table}[tp]",
                rf"  \centering\footnotesize\fitted{{results/{name}}}",
                f"  {caption}",
                r"\end{table}",
            ]
        )
    if heads.count(" & ") >= MOST:
        block = f"\\begin{{landscape}}\n{block}\n\\end{{landscape}}"
    return Float(name, Markup(md.partition("\n")[0]), Markup(block))


def figure(name: str, svg: bytes) -> Float:
    """A figure, from its SVG, which has its title and what it shows."""
    title, told = (child.text or "" for child in ElementTree.fromstring(svg)[:2])
    block = [
        r"\begin{figure}[tp]",
        rf"  \centering\includegraphics[width=\linewidth,height=.85\textheight,keepaspectratio]{{results/{name}}}",
        rf"  \caption{{{latex(f'{title}. {told}')}}}",
        r"\end{figure}",
    ]
    return Float(name, Markup(markdown(title)), Markup("\n".join(block)))


def main_first(floats: Sequence[Float]) -> tuple[list[Float], list[Float]]:
    """What the main text needs, and all others by name."""
    main = sorted((one for one in floats if one.name in MAIN), key=lambda one: MAIN.index(one.name))
    return main, sorted(one for one in floats if one.name not in MAIN)
