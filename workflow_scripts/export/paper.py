"""The folder for a paper: tables, figures, methods, references, licences, checklist and metadata of a study."""

import logging
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

import pyarrow.parquet as pq

from workflow_scripts.core.files.copies import record_copy
from workflow_scripts.core.files.jsonio import pretty
from workflow_scripts.export.appendix import computing, hours, hyperparameters, licences, runs
from workflow_scripts.export.croissant import TableFile, croissant, table_files
from workflow_scripts.export.finished import Finished
from workflow_scripts.export.folder import check_target, replace_folder
from workflow_scripts.export.latex import FITTED, floats, main_first
from workflow_scripts.export.markdown import render
from workflow_scripts.export.primary import answer, primary
from workflow_scripts.reporting.methods import Paragraph, as_latex, as_text, cited, paragraphs
from workflow_scripts.reporting.references import bibliography
from workflow_scripts.reporting.tables import breakable, latex

log = logging.getLogger(__name__)
CHECKLIST, README, EXAMPLE = "checklist.md", "README.md", "example.tex"
LOOSE = r"\begingroup\emergencystretch=3em", r"\par\endgroup"
"""Around text with long names, whose lines may be stretched."""
NO_LICENCE = "Not stated: ask those who made the study."


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
    text = [*paragraphs(methods, study.counts), computing(study)]
    made = {
        f"table-{table.name}.{kind}": data
        for table in filter(None, (hyperparameters(methods), runs(methods), hours(study), primary(study)))
        for kind, data in table.files().items()
    }
    files = {**{name: path.read_bytes() for name, path in study.beside.items()}, **made}
    main, others = main_first(floats(files))
    known = {
        "study": study,
        "tables": tables,
        "with_tables": with_tables,
        "licence": licence,
        "main": main,
        "others": others,
        "fitted": FITTED,
    }
    return {
        **made,
        "methods.txt": _joined([f"{one.title}. {as_text(one.text)}" for one in text]),
        "methods.tex": _joined([LOOSE[0], *(_latex(one) for one in text), LOOSE[1]]),
        "references.bib": bibliography(cited(text)).encode(),
        "licences.md": licences(methods),
        "croissant.json": pretty(croissant(study, tables, licence)),
        "answer.tex": _joined(map(latex, answer(study))),
        EXAMPLE: render(EXAMPLE, known).encode(),
        CHECKLIST: render(CHECKLIST, known).encode(),
        README: render("paper.md", known).encode(),
    }


def _latex(paragraph: Paragraph) -> str:
    return f"\\paragraph{{{paragraph.title}.}} {as_latex(paragraph.text, breakable)}"


def _joined(paragraphs: Iterable[str]) -> bytes:
    return ("\n\n".join(paragraphs) + "\n").encode()
