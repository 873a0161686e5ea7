"""Audits in parts: of which artifacts the contents are read, and the note of when each was read last.

Manifests, records and sizes are checked in every audit; reading all contents of a large study takes hours.
"""

import errno
import hashlib
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.names import AUDITED
from workflow_scripts.core.files.notes import read_note, write_note
from workflow_scripts.provenance.nodes import Node

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Part:
    """Which artifacts an audit reads; one of the three is given.

    Attributes:
        number: those of one of ``of`` parts: every artifact is in exactly one, and stays in it. What studies share, the
            cache and the store of fetched bytes, is read with the first.
        share: those read longest ago, up to this share of all bytes.
        limit: those read longest ago, up to this many bytes.
    """

    number: int = 0
    of: int = 0
    share: float | None = None
    limit: int | None = None

    def choose(self, nodes: Sequence[Node], times: Mapping[Path, str]) -> frozenset[Path]:
        """Manifests of the artifacts to read: at least one.

        Args:
            times: of manifests, when the artifact was read last.
        """
        turns = {node.path: _turn(node) for node in nodes}
        if self.of:
            return frozenset(path for path, turn in turns.items() if turn % self.of == self.number - 1)
        sizes = {node.path: sum(file["bytes"] for file in node.files.values()) for node in nodes}
        limit = self.limit if self.limit is not None else (self.share or 0) * sum(sizes.values())
        chosen, read = set[Path](), 0
        for path in sorted(turns, key=lambda path: (times.get(path, ""), turns[path], path)):  # never: before any time
            read += sizes[path]
            if chosen and read > limit:
                break
            chosen.add(path)
        return frozenset(chosen)


def _turn(node: Node) -> int:
    """A number that is the same in every audit, wherever the results lie."""
    return int(hashlib.sha256(f"{node.study.name}/{node.label}".encode()).hexdigest()[:12], 16)


def last_read(study: Path, nodes: Iterable[Node]) -> dict[Path, str]:
    """When the contents of these artifacts of a study were read last, and had no fault; never without an entry.

    What was recomputed since then counts as never read.
    """
    try:
        noted = read_note(_note_of(study), "").get("artifacts", {})
    except PipelineError as error:
        log.warning("%s; every artifact counts as never audited", error)
        return {}
    known = [node for node in nodes if noted.get(node.label, {}).get("manifest") == node.hash]
    return {node.path: noted[node.label]["when"] for node in known}


def note_read(study: Path, nodes: Iterable[Node], times: Mapping[Path, str]) -> None:
    """Note when these artifacts were read last; a results folder that is not writable is left as it is."""
    entries = {node.label: {"manifest": node.hash, "when": times[node.path]} for node in nodes if node.path in times}
    try:
        write_note(_note_of(study), {"artifacts": entries})
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise
        log.warning("%s: %s; it is not noted what was audited", _note_of(study), error.strerror)


def now() -> str:
    """The time in UTC, to the second; later ones are greater."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _note_of(study: Path) -> Path:
    return study.parent / AUDITED / f"{study.name}.json"


def as_json(nodes: Sequence[Node], times: Mapping[Path, str]) -> dict[str, Any]:
    """What was read longest ago, and how many artifacts never were."""
    read = [{"artifact": node.label, "when": times[node.path]} for node in nodes if node.path in times]
    longest = min(read, key=lambda one: (one["when"], one["artifact"]), default=None)
    return {"never_read": len(nodes) - len(read), "read_longest_ago": longest}
