"""What a run record says about one artifact, and its numbers as the tools print them. What it does not say is None."""

from collections.abc import Mapping, Sequence
from typing import Any

from workflow_scripts.core.errors.text import redacted
from workflow_scripts.provenance.nodes import Node


def run_metadata(node: Node) -> dict[str, Any]:
    """All that is known of how an artifact came to be; of one from the cache, of the original computation."""
    record, made = node.record or {}, node.computation or {}
    cached = record.get("cached")
    return {
        "artifact": node.label,
        "manifest_sha256": node.hash,
        "unit": node.manifest.get("unit"),
        "files": node.files,
        "rows": node.manifest.get("rows") or None,
        "settings": mattering(record) if node.record else None,
        **{name: made.get(name) for name in ("code", "git", "environment", "packages", "python", "facts")},
        **{name: made.get(name) for name in ("host", "slurm_job", "start", "end", "seconds", "cpu_seconds")},
        **{name: made.get(name) for name in ("system", "cpus", "workers", "determinism")},
        **{name: made.get(name) for name in ("peak_bytes", "cpu_model", "gpu_model", "driver")},
        "figures": made.get("figures", {}),
        "cached": cached,
        "placed": record.get("start") if cached else None,
    }


def mattering(record: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that can change bytes, by what the run record says of them."""
    left_out = record.get("not_in_key", ())
    return {name: value for name, value in sorted(record.get("settings", {}).items()) if name not in left_out}


def flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings as one level: ``{"simclr": {"temperature": 0.1}}`` -> ``{"simclr.temperature": 0.1}``."""
    found: dict[str, Any] = {}
    for name, value in sorted(settings.items()):
        if isinstance(value, Mapping) and value:
            found |= flat(value, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = value
    return found


UNKNOWN = "unknown"


def short(sha256: object) -> str:
    """The first ten digits of a hash; words such as ``format-1`` whole."""
    text = UNKNOWN if sha256 is None else str(sha256)
    return text[:10] if len(text) in (40, 64) else text


def value_text(recorded: object) -> str:
    """A setting, version or table cell as in YAML: ``{a: 1}``, ``[1, 2]``, ``null``, ``true``; URLs are redacted."""
    if isinstance(recorded, Mapping):
        return "{" + ", ".join(f"{name}: {value_text(inner)}" for name, inner in sorted(recorded.items())) + "}"
    if isinstance(recorded, Sequence) and not isinstance(recorded, str):
        return "[" + ", ".join(value_text(inner) for inner in recorded) + "]"
    if recorded is None:
        return "null"
    return str(recorded).lower() if isinstance(recorded, bool) else redacted(str(recorded))


def time_text(time: str | None) -> str:
    """An ISO time to the second: ``2026-11-24 19:15:35 UTC``."""
    if time is None:
        return UNKNOWN
    return f"{time[:19].replace('T', ' ')} UTC" if time.endswith(("+00:00", "Z")) else time


def rows_text(counts: Mapping[str, Any]) -> str:
    """``131 -> 127 (empty_caption 2, repeated_id 2)``."""
    lost = ", ".join(f"{reason} {count:,}" for reason, count in sorted(counts["dropped"].items()))
    return f"{counts['in']:,} -> {counts['out']:,}" + (f" ({lost})" if lost else "")


def code_text(digest: str | None, git: Mapping[str, Any] | None) -> str:
    """``69cd62393f, commit f5f846bf92 with changes``."""
    commit = (git or {}).get("commit")
    dirty = {True: " with changes", False: "", None: ", unknown whether changed"}[(git or {}).get("dirty")]
    return f"{short(digest)}, " + (f"commit {short(commit)}{dirty}" if commit else "commit unknown")
