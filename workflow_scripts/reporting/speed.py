"""A page of its own on how fast the study's stages ran: it changes with each run, as the report must not."""

from collections.abc import Iterable
from typing import Any

from markupsafe import Markup

from workflow_scripts.core.artifact import RUN, Artifact
from workflow_scripts.core.files.bounded_json import read_object_or_none
from workflow_scripts.core.runtime.figures import FIGURES, Figures, in_turn, known
from workflow_scripts.reporting.page import TEMPLATES, environment, policy
from workflow_scripts.reporting.text import count

SPEED = ".speed.html"


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
