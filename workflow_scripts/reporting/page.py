"""Templates rendered into self-contained pages: the report, and one on how fast the stages ran, which varies by run."""

import base64
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from workflow_scripts.core.artifact import RUN, Artifact
from workflow_scripts.core.files.bounded_json import read_object_or_none
from workflow_scripts.core.runtime.figures import FIGURES, Figures, in_turn, known
from workflow_scripts.reporting.figures import Figure
from workflow_scripts.reporting.tables import Table
from workflow_scripts.reporting.text import count, minus, words

TEMPLATES = Path(__file__).parent / "templates"
SPEED = ".speed.html"
FORMATS = {Figure: ("figure", ("svg", "pdf", "csv")), Table: ("table", ("csv", "tex", "md"))}
"""What the files beside a page begin with, and their formats."""


def environment(folder: Path = TEMPLATES) -> Environment:
    """Templates of a folder, which may include the report's. All are autoescaped: captions and names are untrusted."""
    made = Environment(
        loader=FileSystemLoader([folder, TEMPLATES]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(count=count, minus=minus, words=words, links=links)
    return made


def policy(style: str, script: str = "") -> str:
    """Content-Security-Policy: only this style sheet, this script (if any) and embedded images; no network."""
    allowed = f"default-src 'none'; img-src data:; style-src {_hash(style)}; base-uri 'none'; form-action 'none'"
    return f"{allowed}; script-src {_hash(script)}" if script else allowed


def _hash(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
    return f"'sha256-{digest}'"


def render(template: str, context: Mapping[str, Any], folder: Path = TEMPLATES) -> bytes:
    """A page as UTF-8 in the report's style; equal contexts give equal bytes. Text is escaped unless it is Markup."""
    style = (TEMPLATES / "style.css").read_text(encoding="utf-8")
    page = environment(folder).get_template(template)
    return page.render(**context, style=Markup(style), policy=policy(style)).encode("utf-8")


def file_name(shown: Figure | Table, extension: str) -> str:
    """``figure-NAME.svg`` or ``table-NAME.tex``."""
    return f"{FORMATS[type(shown)][0]}-{shown.name}.{extension}"


def links(shown: Figure | Table) -> list[tuple[str, str]]:
    """Format and address, relative to the page."""
    return [(extension.upper(), f"index/{file_name(shown, extension)}") for extension in FORMATS[type(shown)][1]]


def files(context: Mapping[str, Any]) -> dict[str, bytes]:
    """Content by file name of every figure and table in a page's context, wherever it stands.

    Raises:
        ValueError: two of them have the same name.
    """
    made: dict[str, bytes] = {}
    for shown in _found(context):
        for extension, content in shown.files().items():
            if made.setdefault(file_name(shown, extension), content) != content:
                raise ValueError(f"two figures or tables are called {shown.name}")
    return made


def _found(value: Any) -> Iterator[Figure | Table]:
    if isinstance(value, Figure) or (isinstance(value, Table) and value.rows):
        yield value
        return
    inner = vars(value) if is_dataclass(value) else value
    if isinstance(inner, Iterable) and not isinstance(inner, str | bytes):
        for part in inner.values() if isinstance(inner, Mapping) else inner:
            yield from _found(part)


def computation(artifact: Artifact) -> dict[str, Any]:
    """The run record of an artifact's computation; empty if there is none that can be read."""
    record = read_object_or_none(artifact.manifest_path.with_name(f"{artifact.name}{RUN}")) or {}
    original = record.get("original")
    return original if isinstance(original, dict) else record


def speed_page(study: str, took: Iterable[tuple[str, Figures]]) -> bytes:
    """The page as UTF-8, one line per stage, those that took longest first.

    Args:
        took: stage and figures of each artifact.
    """
    by_stage: dict[str, list[dict[str, float]]] = {}
    for stage, figures in took:
        by_stage.setdefault(stage, []).append(known(figures))
    shown = {name: figure for name, figure in FIGURES.items() if figure.title}
    together = {stage: in_turn(several) for stage, several in by_stage.items()}
    order = sorted(together, key=lambda stage: -together[stage].get("work_seconds", 0.0))
    lines = []
    for stage in order:
        found = together[stage]
        texts = [figure.text(found[name]) if name in found else "–" for name, figure in shown.items()]
        lines.append((stage, count(len(by_stage[stage])), texts))
    titles = [figure.title for figure in shown.values()]
    return render("speed.html", {"study": study, "titles": titles, "lines": lines})
