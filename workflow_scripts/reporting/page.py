"""Templates rendered into self-contained pages: the report, and one on how fast the stages ran, which varies by run."""

import base64
import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from workflow_scripts.core.artifact import RUN, Artifact
from workflow_scripts.core.files.bounded_json import read_object_or_none
from workflow_scripts.core.runtime.figures import FIGURES, Figures, in_turn, known
from workflow_scripts.reporting.drawing.beside import links
from workflow_scripts.reporting.text import count, minus, words

TEMPLATES = Path(__file__).parent / "templates"
SPEED = ".speed.html"


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


def render(context: Mapping[str, Any]) -> bytes:
    """The page as UTF-8; equal contexts give equal bytes. Text in `context` is escaped unless it is Markup."""
    style = (TEMPLATES / "style.css").read_text(encoding="utf-8")
    page = environment().get_template("page.html").render(**context, style=Markup(style), policy=policy(style))
    return page.encode("utf-8")


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
    lines = [(stage, count(len(by_stage[stage])), [_text(name, together[stage]) for name in shown]) for stage in order]
    style = (TEMPLATES / "style.css").read_text(encoding="utf-8")
    titles = [figure.title for figure in shown.values()]
    context = {"study": study, "titles": titles, "lines": lines, "style": Markup(style), "policy": policy(style)}
    return environment().get_template("speed.html").render(**context).encode("utf-8")


def _text(name: str, figures: Figures) -> str:
    return FIGURES[name].text(figures[name]) if name in figures else "–"
