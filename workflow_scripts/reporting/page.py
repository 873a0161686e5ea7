"""The page: templates rendered into one self-contained file."""

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from workflow_scripts.reporting.text import count, minus, words

TEMPLATES = Path(__file__).parent / "templates"


def environment(folder: Path = TEMPLATES) -> Environment:
    """Templates of a folder, which may include the report's. All are autoescaped: captions and names are untrusted."""
    made = Environment(
        loader=FileSystemLoader([folder, TEMPLATES]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(count=count, minus=minus, words=words)
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
