"""The outcome of an audit as text for people and as JSON."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from humanize import naturalsize

from workflow_scripts.audit.audit import Audited
from workflow_scripts.audit.kinds import Finding, Kind
from workflow_scripts.core.errors.text import printed

SHOWN = 20  # findings of one kind shown to people; --json has all


def table(done: Sequence[Audited], quick: bool, seconds: float) -> str:
    """The outcome for people."""
    lines = []
    for one in done:
        if one.artifacts or one.files:
            lines += [f"{_shown(one.study)}: {one.artifacts} artifacts, {one.files} files, {naturalsize(one.bytes)}"]
            lines += [f"  root {one.root or 'none: an artifact behind the report is missing'}"]
        elif one.findings:
            lines += [f"{_shown(one.study)}:"]
        for kind in Kind:
            lines += _of_kind(kind, [found for found in one.findings if found.kind is kind])
    faults = sum(len(one.faults) for one in done)
    checked = "sizes" if quick else "contents"
    said = "everything is intact" if not faults else f"{faults} fault{'s' if faults > 1 else ''}"
    return printed([*lines, f"{said} ({checked} checked in {seconds:.1f} s)"])


def _of_kind(kind: Kind, findings: Sequence[Finding]) -> list[str]:
    if not findings:
        return []
    lines = [f"  {'note: ' if kind.note else ''}{kind.label} ({len(findings)}): {kind.meaning}"]
    for one in findings[:SHOWN]:
        lines.append(f"    {_shown(one.path)}: {one.detail}" + (f"; {one.advice}" if one.advice else ""))
    return lines + ([f"    … and {len(findings) - SHOWN} more; --json lists all"] if len(findings) > SHOWN else [])


def _shown(path: Path) -> str:
    """Relative to the working directory where it lies below."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def as_json(done: Sequence[Audited], quick: bool) -> dict[str, Any]:
    """The outcome for programs."""
    studies = [
        {
            **{"study": str(one.study), "root": one.root, "artifacts": one.artifacts, "files": one.files},
            **{"bytes": one.bytes, "faults": [_json(f) for f in one.faults]},
            "notes": [_json(f) for f in one.findings if f.kind.note],
        }
        for one in done
    ]
    return {"holds": not any(one.faults for one in done), "contents": not quick, "studies": studies}


def _json(one: Finding) -> dict[str, str]:
    return {"kind": one.label, "path": str(one.path), "detail": one.detail, "advice": one.advice}
