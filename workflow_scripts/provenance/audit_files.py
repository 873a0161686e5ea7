"""Checks of data files, and of things from outside, against what is recorded of them."""

import os
from collections.abc import Collection, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from workflow_scripts.core.artifact import MANIFEST, RUN
from workflow_scripts.core.cache import results_root, stored
from workflow_scripts.provenance.audit_kinds import Finding, Kind, finding
from workflow_scripts.provenance.hashing import hashes
from workflow_scripts.provenance.nodes import Node

BESIDE = ("logs", "crate")  # folders of a study that hold no artifacts; a crate is checked by tools.crate --check
Owners = dict[str, list[Path]]


@dataclass(frozen=True)
class Claim:
    """What is recorded of one file: by ``node``, under ``suffix``; ``outside`` the study for a source's own files."""

    node: Node
    suffix: str
    path: Path
    sha256: str
    bytes: int
    outside: bool = False

    def finding(self, kind: Kind, detail: str) -> Finding:
        """A finding about the file."""
        return finding(Kind.CHANGED_SOURCE if self.outside else kind, self.path, detail, self.node.path)


def claims_of(node: Node, with_record: bool) -> list[Claim]:
    """Every file that a manifest names and, ``with_record``, those outside of it whose hashes the run record has.

    Old records list such files without hashes.
    """
    beside = (node.computation or {}).get("beside", {}) if with_record else {}
    recorded = {**node.files, **(beside if isinstance(beside, dict) else {})}
    return [Claim(node, suffix, node.file(suffix), str(r["sha256"]), int(r["bytes"])) for suffix, r in recorded.items()]


def size_findings(claims: Iterable[Claim]) -> Iterator[tuple[Claim, Finding]]:
    """Files that are gone or have another size."""
    for claim in claims:
        try:
            size = claim.path.stat().st_size
        except FileNotFoundError:
            yield claim, claim.finding(Kind.MISSING_FILE, f"gone; {claim.bytes} bytes are recorded")
        except OSError as error:
            yield claim, finding(Kind.UNREADABLE, claim.path, str(error.strerror))
        else:
            if size != claim.bytes:
                yield claim, claim.finding(Kind.WRONG_SIZE, _sizes(claim, size))


def content_findings(claims: Sequence[Claim], owners: Owners, jobs: int) -> Iterator[tuple[Claim, Finding]]:
    """Files whose bytes are not the recorded ones; ``owners`` tells one file's bytes under another's name."""
    by_path: dict[Path, list[Claim]] = {}
    for claim in claims:
        by_path.setdefault(claim.path, []).append(claim)
    for path, value in hashes([(path, found[0].bytes) for path, found in by_path.items()], jobs):
        for claim in by_path[path]:
            if isinstance(value, OSError):
                yield claim, finding(Kind.UNREADABLE, path, str(value.strerror))
            elif value != claim.sha256:
                yield claim, _other_bytes(claim, value, owners.get(value, []))


def owners_of(claims: Iterable[Claim]) -> Owners:
    """sha256 -> the files that it is recorded for."""
    owners: Owners = {}
    for claim in claims:
        owners.setdefault(claim.sha256, []).append(claim.path)
    return owners


def _other_bytes(claim: Claim, value: str, owners: Sequence[Path]) -> Finding:
    if owners:
        return claim.finding(Kind.SWAPPED_FILE, f"these are the bytes of {owners[0]}")
    size = claim.path.stat().st_size
    if size != claim.bytes:
        return claim.finding(Kind.WRONG_SIZE, _sizes(claim, size))
    detail = f"sha256 {value[:12]}, {claim.sha256[:12]} is recorded{_shared(claim)}"
    return claim.finding(Kind.WRONG_CONTENT, detail)


def _sizes(claim: Claim, size: int) -> str:
    return f"{size} bytes, {claim.bytes} are recorded{_shared(claim)}"


def _shared(claim: Claim) -> str:
    """Whether the cache holds the very same file, so that an edit in place changed both."""
    key = str((claim.node.record or {}).get("key"))
    entry = results_root(claim.node.path) / ".cache" / claim.node.stage / key
    try:
        same = os.path.samefile(stored(entry, claim.suffix), claim.path)
    except OSError:
        return ""
    return "; the cache holds this very file, so its entry will be computed again too" if same else ""


def lonely_records(files: Iterable[Path], manifests: Container[Path]) -> list[Path]:
    """Where manifests ought to be: run records among ``files`` that stand there without one."""
    records = [path for path in files if path.name.endswith(RUN)]
    places = [path.with_name(path.name.removesuffix(RUN) + MANIFEST) for path in records]
    return [path for path in places if path not in manifests]


def unnamed_files(
    study: Path, files: Iterable[Path], claimed: Collection[Path], doubtful: Collection[Path]
) -> Iterator[Finding]:
    """Files of a study that no manifest names; logs and the crate do not count.

    Args:
        files: all that there are.
        claimed: those that a manifest or run record names.
        doubtful: artifacts (paths without suffix) whose manifest or record is gone or at fault, which is named as such:
            what files they have is not known.
    """
    prefixes: dict[Path, tuple[str, ...]] = {}
    for path in doubtful:
        prefixes[path.parent] = (*prefixes.get(path.parent, ()), f"{path.name}.", f"{path.name}/")
    for path in files:
        if path in claimed or _is_own(path, study):
            continue
        stage = study / path.relative_to(study).parts[0]
        if stage.name in BESIDE:
            continue
        if not str(path.relative_to(stage)).startswith(prefixes.get(stage, ())):
            yield finding(Kind.UNNAMED_FILE, path, f"{path.lstat().st_size} bytes")


def _is_own(path: Path, study: Path) -> bool:
    """Whether it is a manifest or run record in its place."""
    return path.name.endswith((MANIFEST, RUN)) and path.parent.parent == study
