"""Numbers and records as the provenance tools print them."""

from collections.abc import Mapping, Sequence
from typing import Any

from workflow_scripts.core.errors.text import redacted

SHORT = 10  # hex digits shown of a sha256
UNKNOWN = "unknown"


def short(sha256: object) -> str:
    """The first digits of a hash; words such as ``format-1`` whole."""
    text = UNKNOWN if sha256 is None else str(sha256)
    return text[:SHORT] if len(text) in (40, 64) else text


def value(recorded: object) -> str:
    """A setting, version or table cell as in YAML: ``{a: 1}``, ``[1, 2]``, ``null``, ``true``; URLs are redacted."""
    if isinstance(recorded, Mapping):
        return "{" + ", ".join(f"{name}: {value(inner)}" for name, inner in sorted(recorded.items())) + "}"
    if isinstance(recorded, Sequence) and not isinstance(recorded, str):
        return "[" + ", ".join(value(inner) for inner in recorded) + "]"
    if recorded is None:
        return "null"
    return str(recorded).lower() if isinstance(recorded, bool) else redacted(str(recorded))


def when(time: str | None) -> str:
    """An ISO time to the second: ``2026-11-24 19:15:35 UTC``."""
    if time is None:
        return UNKNOWN
    return f"{time[:19].replace('T', ' ')} UTC" if time.endswith(("+00:00", "Z")) else time


def rows(counts: Mapping[str, Any]) -> str:
    """``131 -> 127 (empty_caption 2, repeated_id 2)``."""
    lost = ", ".join(f"{reason} {count:,}" for reason, count in sorted(counts["dropped"].items()))
    return f"{counts['in']:,} -> {counts['out']:,}" + (f" ({lost})" if lost else "")


def code(digest: str | None, git: Mapping[str, Any] | None) -> str:
    """``69cd62393f, commit f5f846bf92 with changes``."""
    commit = (git or {}).get("commit")
    dirty = {True: " with changes", False: "", None: ", unknown whether changed"}[(git or {}).get("dirty")]
    return f"{short(digest)}, " + (f"commit {short(commit)}{dirty}" if commit else "commit unknown")
