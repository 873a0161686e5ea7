"""Checks data files and external sources (the annotation zip, models, datasets) against their recorded hashes."""

import errno
import hashlib
import json
import os
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from workflow_scripts.audit.kinds import Finding, Kind, finding
from workflow_scripts.audit.scan import Scan
from workflow_scripts.core.artifact import MANIFEST, RUN
from workflow_scripts.core.cache import file_hash, results_root, stored
from workflow_scripts.core.digest import ROOT
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.bounded_json import Unfit, kind_of, read_bytes, read_object
from workflow_scripts.core.files.names import cache_entry
from workflow_scripts.core.key import root_hash
from workflow_scripts.core.runtime.progress import progress
from workflow_scripts.core.sources import LISTING, MOST_LISTED, files_of, local_path
from workflow_scripts.core.threads import mapped
from workflow_scripts.provenance.crate.contents import METADATA, ROOT_ID
from workflow_scripts.provenance.nodes import Node


@dataclass(frozen=True)
class Claim:
    """What is recorded about one file.

    Attributes:
        owner: the manifest of its artifact, or its cache entry.
        path: the file.
        sha256: of its bytes.
        bytes: its size.
        kind: the finding for different content if it belongs to a source or to the cache, not to the study.
        cached: the cache's copy of a file of the study.
    """

    owner: Path
    path: Path
    sha256: str
    bytes: int
    kind: Kind | None = None
    cached: Path | None = None

    def finding(self, kind: Kind, detail: str) -> Finding:
        """A finding about the file."""
        return finding(self.kind or kind, self.path, detail, self.owner)


def claims_of(node: Node, with_record: bool) -> list[Claim]:
    """Every file that a manifest names and, ``with_record``, those outside of it whose hashes the run record has."""
    recorded = node.files | ((node.computation or {}).get("beside", {}) if with_record else {})
    key = str((node.record or {}).get("key"))
    entry = cache_entry(results_root(node.path), node.stage, key)
    return [
        Claim(node.path, node.file(suffix), file["sha256"], file["bytes"], cached=stored(entry, suffix))
        for suffix, file in recorded.items()
    ]


def file_findings(
    claims: Iterable[Claim], scanned: Scan, owners: Mapping[str, Path], jobs: int, chosen: Collection[Path]
) -> Iterator[Finding]:
    """What is wrong with the files behind ``claims``; files with a fault in ``scanned`` have been reported already.

    Args:
        owners: sha256 -> a file that it is recorded for, so that bytes under another name are recognised.
        jobs: files hashed at a time.
        chosen: owners whose files are read; of others, sizes are compared.
    """
    there = []
    for claim in claims:
        if claim.path in scanned.odd or scanned.hides(claim.path):
            continue
        status = _status(claim, scanned)
        if isinstance(status, Finding):
            yield status
        elif claim.owner in chosen:
            there.append(claim)
        elif status.st_size != claim.bytes:
            yield claim.finding(Kind.CHANGED_FILE, _sizes(claim, status.st_size))
    yield from _content_findings(there, owners, jobs)


def _status(claim: Claim, scanned: Scan) -> os.stat_result | Finding:
    """Status of a regular file, or what is wrong; a source may be reached by links."""
    if claim.path in scanned.files:
        return scanned.files[claim.path]
    try:
        status = claim.path.stat()
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            return claim.finding(Kind.MISSING, f"missing; {claim.bytes} bytes are recorded")
        return finding(Kind.UNREADABLE, claim.path, str(error.strerror), claim.owner)
    if not stat.S_ISREG(status.st_mode):
        return claim.finding(Kind.UNREADABLE, f"it is {kind_of(status.st_mode)}")
    return status


def _content_findings(claims: Sequence[Claim], owners: Mapping[str, Path], jobs: int) -> Iterator[Finding]:
    by_path: dict[Path, list[Claim]] = {}
    for claim in claims:
        by_path.setdefault(claim.path, []).append(claim)
    paths = sorted(by_path, key=lambda path: -by_path[path][0].bytes)  # big ones first: all threads end together
    for path, value in progress(mapped(_hashed, paths, jobs), len(paths), "files hashed"):
        for claim in by_path[path]:
            if isinstance(value, OSError):
                yield claim.finding(Kind.UNREADABLE, str(value.strerror))
            elif value != claim.sha256:
                yield _other_bytes(claim, value, owners.get(value))


def _hashed(path: Path) -> tuple[Path, str | OSError]:
    """sha256 in hex, or the error that kept the file from being read."""
    try:
        if not path.is_file():  # replaced by something that would block the reader
            raise OSError(errno.EINVAL, "not a regular file")
        return path, file_hash(path)
    except OSError as error:
        return path, error


def _other_bytes(claim: Claim, value: str, owner: Path | None) -> Finding:
    if owner is not None:
        return claim.finding(Kind.CHANGED_FILE, f"these are the bytes of {owner}")
    detail = f"sha256 {value[:12]}, {claim.sha256[:12]} is recorded{_shared(claim)}"
    with suppress(OSError):  # it may have been removed since it was read
        size = claim.path.stat().st_size
        detail = detail if size == claim.bytes else _sizes(claim, size)
    return claim.finding(Kind.CHANGED_FILE, detail)


def _sizes(claim: Claim, size: int) -> str:
    return f"{size} bytes, {claim.bytes} are recorded{_shared(claim)}"


def _shared(claim: Claim) -> str:
    """Whether the cache holds the very same file, so that an edit in place changed both."""
    try:
        same = claim.cached is not None and os.path.samefile(claim.cached, claim.path)
    except OSError:
        return ""
    return "; the cache holds this very file, so its entry will be recomputed too" if same else ""


def unnamed(study: Path, scanned: Scan, claimed: Collection[Path], doubtful: Iterable[str]) -> Iterator[Finding]:
    """Files and empty folders of a study that no manifest accounts for.

    Args:
        claimed: files that a manifest or run record names.
        doubtful: artifacts (paths without suffix) whose manifest or record is missing or at fault, which is named as
            such: what files they have is not known.
    """
    theirs = tuple(f"{path}{mark}" for path in doubtful for mark in "./")
    for path, status in scanned.files.items():
        own = path.name.endswith((MANIFEST, RUN)) and path.parent.parent == study
        if not own and path not in claimed and path not in scanned.odd and not str(path).startswith(theirs):
            yield finding(Kind.UNNAMED, path, f"{status.st_size} bytes")
    named = {*claimed, *(parent for path in claimed for parent in path.parents)}
    for path in scanned.empty:
        # Snakemake makes the folders of stages before their first job.
        of_stage = path.parent == study and (ROOT / "workflow_scripts" / "stages" / f"{path.name}.py").is_file()
        if not of_stage and path not in named and path not in scanned.odd and not f"{path}/".startswith(theirs):
            yield finding(Kind.UNNAMED, path, "an empty folder")


def source_claims(node: Node) -> tuple[list[Claim], list[Finding]]:
    """What is recorded about the files behind a ``source`` artifact, and files added since it was made.

    Unlike in the stages, cached hashes are not trusted, so an edit that restores size and time is found. A source that
    holds its own bytes (fetched by URL) has no files outside.
    """
    if ".data" in node.files:
        return [], []
    try:
        listing = read_bytes(node.file(LISTING), MOST_LISTED)
    except (OSError, Unfit):
        return [], []  # a listing that is missing or damaged is named itself
    if hashlib.sha256(listing).hexdigest() != node.files.get(LISTING, {}).get("sha256"):
        return [], []
    try:
        then = [(str(row["path"]), str(row["sha256"]), int(row["bytes"])) for row in json.loads(listing)]
    except (ValueError, TypeError, KeyError):
        return [], [finding(Kind.EDITED_RECORD, node.file(LISTING), "it lists no files", node.path)]
    path = _here(str(node.at))
    if path is None:
        return [], [finding(Kind.NOT_COMPARED, node.path, f"{node.at} is not on this machine")]
    claims = [
        Claim(node.path, path / name if name else path, sha, size, Kind.CHANGED_SOURCE) for name, sha, size in then
    ]
    try:
        today = {name for name, _ in files_of(path)}
    except PipelineError as error:  # a FIFO in its place, say, or links that lead back to it
        return claims, [finding(Kind.UNREADABLE, path, f"{error.what}: {error.value}", node.path)]
    more = sorted(today - {name for name, _, _ in then})
    return claims, [
        finding(Kind.CHANGED_SOURCE, path / name, "not there when it was hashed", node.path) for name in more
    ]


def _here(wanted: str) -> Path | None:
    """Where it lies, from the working directory or from the code's folder; None when it is not on this machine."""
    try:
        path = local_path(wanted, may_fetch=False)
    except PipelineError:
        return None
    return next((place for place in (path, ROOT / path) if os.path.exists(place)), None)


def crate_findings(crate: Path, root: str | None) -> Iterator[Finding]:
    """Whether a crate has the files that its metadata names, and describes the study with this root hash."""
    try:
        graph = {entity["@id"]: entity for entity in read_object(crate / METADATA)["@graph"]}
        described = {crate / unquote(name): graph[name] for name in graph if "sha256" in graph[name] and name[0] != "#"}
        identifier = graph[ROOT_ID]["identifier"]
    except (OSError, Unfit, LookupError, TypeError, AttributeError) as error:
        yield finding(Kind.BROKEN_CRATE, crate / METADATA, f"not the metadata of a crate ({error})")
        return
    manifests = []
    for path, entity in described.items():
        try:
            inside = Path(os.path.realpath(path)).is_relative_to(os.path.realpath(crate)) and path.is_file()
            sha256 = file_hash(path) if inside else "missing"
        except (OSError, ValueError) as error:
            sha256 = str(error)
        if sha256 != entity["sha256"]:
            yield finding(Kind.BROKEN_CRATE, path, f"{sha256[:64]}; the metadata names {entity['sha256']}", crate)
        if path.is_relative_to(crate / "manifests"):
            manifests.append((path.relative_to(crate / "manifests").as_posix().removesuffix(".json"), sha256))
    if identifier != f"root-sha256:{root_hash(manifests)}":
        yield finding(Kind.BROKEN_CRATE, crate, "its root hash is not that of the manifests in it")
    elif root is not None and identifier != f"root-sha256:{root}":
        yield finding(Kind.BROKEN_CRATE, crate, f"it describes {identifier}; the study's root hash is {root}")
