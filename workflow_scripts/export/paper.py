"""The folder for a paper: tables, figures, methods, references, licences, checklist and metadata of a study.

LaTeX includes each table and figure in a float that fits a page, with its caption.
"""

import logging
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import pyarrow.parquet as pq
from markupsafe import Markup

from workflow_scripts.core.files.copies import record_copy
from workflow_scripts.core.files.jsonio import pretty
from workflow_scripts.export.appendix import computing, hours, hyperparameters, licences, runs, took
from workflow_scripts.export.croissant import TableFile, croissant, table_files
from workflow_scripts.export.finished import Finished
from workflow_scripts.export.folder import check_target, replace_folder
from workflow_scripts.export.markdown import render
from workflow_scripts.reporting.methods import Paragraph, as_latex, as_text, cited, paragraphs
from workflow_scripts.reporting.references import bibliography
from workflow_scripts.reporting.sections.console import primary, sentences
from workflow_scripts.reporting.sections.contrasts import count
from workflow_scripts.reporting.tables import UPRIGHT, Table, breakable, latex, markdown, sentence

log = logging.getLogger(__name__)
CHECKLIST, README, EXAMPLE = "checklist.md", "README.md", "example.tex"
LOOSE = r"\begingroup\emergencystretch=3em", r"\par\endgroup"
"""Around text with long names, whose lines may be stretched."""
NO_LICENCE = "Not stated: ask those who made the study."
FITTED = Markup(
    r"\newcommand{\fitted}[1]{\resizebox*{!}{\ifdim\totalheight>.8\textheight.8\textheight\else\totalheight\fi}{%"
    "\n"
    r"  \resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{\input{#1}}}}"
)
"""Includes a table, smaller if it is wider or higher than the text."""
MAIN = ("table-primary", "figure-primary", "table-runs")
"""What the main text of a paper needs, in this order."""


def write_paper(study: Finished, folder: Path, licence: str, with_tables: bool) -> int:
    """Write the folder; returns the number of its files.

    Args:
        licence: of the tables that the metadata describes.
        with_tables: these tables are copied, and the study records that the folder has their rows.

    Raises:
        PipelineError: the folder has other files, or a file of the study is missing or damaged.
    """
    check_target(folder, CHECKLIST)
    log.info("describing the tables of images, captions and pairs")
    tables = table_files(study)
    copied = study.beside | ({table.name: table.path for table in tables} if with_tables else {})
    log.info("writing methods, tables and figures")
    written = contents(study, tables, licence, with_tables)
    assert not written.keys() & copied.keys(), "each file has a name of its own"

    def write(part: Path) -> None:
        for name, content in written.items():
            (part / name).write_bytes(content)
        for name, path in copied.items():
            shutil.copyfile(path, part / name)

    if with_tables:
        record_copy(study.folder, folder, _keys(tables))
    replace_folder(folder, write)
    return len(written) + len(copied)


def _keys(tables: Sequence[TableFile]) -> set[str]:
    """Keys of the images that the tables have rows of."""
    columns = {"images": ("key",), "captions": ("key",), "pairs": ("source", "target")}
    found: set[str] = set()
    for table in tables:
        rows = pq.read_table(table.path, columns=list(columns[table.group]))
        found.update(*(column.to_pylist() for column in rows.columns))
    return found


def contents(study: Finished, tables: Sequence[TableFile], licence: str, with_tables: bool) -> dict[str, bytes]:
    """Name -> bytes of the files that are made here."""
    methods = study.settings.methods
    text = [*paragraphs(study.settings, study.counts), computing(study)]
    said = sentences(study.summary(), study.contrasts, study.settings, study.counts.leaked)
    made = {
        f"table-{table.name}.{kind}": data
        for table in (hyperparameters(methods), runs(methods), hours(study), *_primary(study))
        for kind, data in table.files().items()
    }
    files = {**{name: path.read_bytes() for name, path in study.beside.items()}, **made}
    main, others = floats(files)
    known = {
        "study": study,
        "tables": tables,
        "with_tables": with_tables,
        "licence": licence,
        "main": main,
        "others": others,
        "fitted": FITTED,
        "took": took(study),
    }
    return {
        **made,
        "methods.txt": _joined([f"{one.title}. {as_text(one.text)}" for one in text]),
        "methods.tex": _joined([LOOSE[0], *(_latex(one) for one in text), LOOSE[1]]),
        "references.bib": bibliography(cited(text)).encode(),
        "licences.md": licences(methods),
        "croissant.json": pretty(croissant(study, tables, licence)),
        "answer.tex": _joined(map(latex, said)),
        EXAMPLE: render(EXAMPLE, known).encode(),
        CHECKLIST: render(CHECKLIST, known).encode(),
        README: render("paper.md", known).encode(),
    }


def _primary(study: Finished) -> list[Table]:
    """The primary contrasts, as ``faithful-pairs show`` prints them, if there are any."""
    found = primary(study.contrasts, study.settings.headline_step)
    rows = [(name, difference, count(row), *rest) for row, (name, difference, *rest) in found]
    title = "Primary contrasts: difference in points, with joint 95 % interval over seeds, test items and classes"
    note = "Adjusted: by Holm's method, if several are primary. All other contrasts are exploratory."
    heads = ("contrast", "difference", "n", "p, adjusted", "verdict")
    return [Table("primary", title, heads, rows, note=note)] if rows else []


def _latex(paragraph: Paragraph) -> str:
    return f"\\paragraph{{{paragraph.title}.}} {as_latex(paragraph.text, breakable)}"


def _joined(paragraphs: Iterable[str]) -> bytes:
    return ("\n\n".join(paragraphs) + "\n").encode()


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

    @property
    def reference(self) -> Markup:
        """What refers to it in LaTeX."""
        return Markup(rf"{self.name.partition('-')[0].title()}~\ref{{{self.name}}}")


def floats(files: Mapping[str, bytes]) -> tuple[list[Float], list[Float]]:
    """The tables and figures among a folder's files: what the main text needs, and all others by name."""
    found = {}
    for name in sorted({name.rpartition(".")[0] for name in files}):
        if name.startswith("table-"):
            found[name] = table(name, *(files[f"{name}.{kind}"].decode() for kind in ("tex", "md")))
        elif name.startswith("figure-"):
            found[name] = figure(name, files[f"{name}.svg"])
    return [found.pop(name) for name in MAIN if name in found], list(found.values())


def table(name: str, tex: str, md: str) -> Float:
    """A table, from its files as LaTeX and Markdown; a wide one is on a page across."""
    caption = tex.partition("\n")[0].removeprefix("% ")
    heads = tex.partition("\\toprule\n")[2].partition("\n")[0]
    if r"\begin{longtable}" in tex:
        block = rf"{{\scriptsize\setlength\tabcolsep{{3pt}}\input{{results/{name}}}}}"
    else:
        fitted = rf"\centering\footnotesize\fitted{{results/{name}}}"
        block = f"\\begin{{table}}[t]\n  {fitted}\n  {caption}\\label{{{name}}}\n\\end{{table}}"
    if heads.count(" & ") >= UPRIGHT:
        block = f"\\begin{{landscape}}\n{block}\n\\end{{landscape}}"
    return Float(name, Markup(md.partition("\n")[0]), Markup(block))


def figure(name: str, svg: bytes) -> Float:
    """A figure, from its SVG, which has its title."""
    title = ElementTree.fromstring(svg)[0].text or ""
    block = [
        r"\begin{figure}[t]",
        rf"  \centering\includegraphics[width=\linewidth,height=.85\textheight,keepaspectratio]{{results/{name}}}",
        rf"  \caption{{{latex(sentence(title))}}}\label{{{name}}}",
        r"\end{figure}",
    ]
    return Float(name, Markup(markdown(title)), Markup("\n".join(block)))
