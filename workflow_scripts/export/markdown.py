"""Text of users and of data as Markdown that can't be anything but text."""

import re
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from workflow_scripts.reporting.text import cut, visible

TEMPLATES = Path(__file__).parent / "templates"
LONGEST = 200  # characters of a name
_PLAIN = re.compile(r"[^`|\\<]+")  # nor <, so that no name looks like a mark in the card


def code(value: object) -> Markup:
    """A name as a code span, in which neither Markdown, HTML nor links are interpreted, also inside a table."""
    text = cut(visible(str(value)), LONGEST) or "(empty)"
    if _PLAIN.fullmatch(text):
        return Markup(f"`{text}`")
    encoded = "".join(char if char.isalnum() or char == " " else f"&#{ord(char)};" for char in text)
    return Markup(f"<code>{encoded}</code>")


def render(template: str, context: dict[str, Any]) -> str:
    """A template of this folder; whatever is not :class:`~markupsafe.Markup` becomes a code span."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=False,  # for HTML; `finalize` does it for Markdown
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=lambda value: value if isinstance(value, Markup) else code(value),
    )
    environment.filters.update(
        count=lambda value: Markup(f"{value:,}"),
        percent=lambda value: Markup(f"{100 * value:.1f}"),
        text=Markup,  # of this project, which is written as it is
    )
    return environment.get_template(template).render(**context)
