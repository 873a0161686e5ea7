"""Compares a study's artifacts with the cache entries that they came from.

If a file was rewritten with its manifest and run record, but not in the cache, it shows here. A damaged entry
is never handed out, but it is named: a disk that damages one file may damage others.
"""

import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from workflow_scripts.audit.files import Claim
from workflow_scripts.audit.kinds import Finding, Kind, finding
from workflow_scripts.audit.scan import Scan
from workflow_scripts.core.cache import results_root, stored
from workflow_scripts.core.files.bounded_json import Unfit, kind_of, parse_object, read_bytes
from workflow_scripts.core.files.jsonio import digest, pretty
from workflow_scripts.core.files.names import CACHE, ENTRY_MANIFEST, ENTRY_RECORD
from workflow_scripts.core.files.plain import check_inside
from workflow_scripts.core.files.seal import is_intact
from workflow_scripts.provenance.nodes import Node
from workflow_scripts.provenance.shapes import manifest_fault, odd_fields, record_fault

_OWN = ("self", "cached", "accepted")  # fields in which a study's record may differ from the entry's


@dataclass(frozen=True)
class Entry:
    """A cache entry that is intact, apart from its data files, which are not checked."""

    folder: Path
    manifest: dict[str, Any]
    record: dict[str, Any]

    def files(self) -> dict[str, dict[str, Any]]:
        """Suffix -> sha256 and bytes of every file that it holds."""
        beside = self.record.get("beside", {})
        return {**self.manifest["files"], **(beside if isinstance(beside, dict) else {})}


def read_entry(folder: Path) -> Entry:
    """The entry in a folder.

    Raises:
        Unfit: it is damaged; says where.
        OSError: it can't be read.
    """
    parts = {}
    check_inside(folder)
    for name, fault in ((ENTRY_MANIFEST, manifest_fault), (ENTRY_RECORD, record_fault)):
        try:
            data = read_bytes(folder / name)
            parts[name] = parse_object(data)
        except Unfit as error:
            raise Unfit(f"{name}: {error}") from None
        if (wrong := fault(parts[name])) is not None:
            raise Unfit(f"{name}: {wrong}")
        if data != pretty(parts[name]):
            raise Unfit(f"{name}: it is not formatted as the workflow writes it")
    manifest, record = parts[ENTRY_MANIFEST], parts[ENTRY_RECORD]
    if (wrong := odd_fields(record)) is not None:
        raise Unfit(f"run.json: {wrong}")
    if not is_intact(record):
        raise Unfit("run.json: its content does not match the digest in it")
    if record["key"] != folder.name or record["stage"] != folder.parent.name:
        raise Unfit("run.json: it belongs to another key")
    if record["manifest"] != digest(manifest):
        raise Unfit("manifest.json: it is not the one that the run record was written for")
    return Entry(folder, manifest, record)


@dataclass(frozen=True)
class Made:
    """One computation in the cache.

    Attributes:
        folder: its entry.
        artifact: what it was made as, ``<stage>/<name>``.
        manifest: digest of its manifest.
        times: when it started and ended.
    """

    folder: Path
    artifact: str
    manifest: str
    times: frozenset[str]


def made_in(stage: Path) -> list[Made]:
    """The computations in a stage's folder of the cache, in order; damaged entries are left out."""
    found = []
    for folder in sorted(stage.glob("[!.]*")):
        try:
            record = read_entry(folder).record
        except (OSError, Unfit):
            continue
        found.append(Made(folder, record["artifact"], record["manifest"], _times(record)))
    return found


def _times(record: Mapping[str, Any]) -> frozenset[str]:
    return frozenset((record["start"], record["end"]))


def cache_of(node: Node) -> Path:
    """The folder of the cache for an artifact's stage."""
    return results_root(node.path) / CACHE / node.stage


def entry_folder(node: Node) -> Path | None:
    """Where the cache entry of an artifact is; None without a readable record."""
    key = (node.record or {}).get("key")
    return cache_of(node) / key if key else None


def entry_findings(node: Node, entry: Entry) -> Iterator[Finding]:
    """Whether an artifact is what its cache entry says."""
    assert node.record is not None and node.computation is not None
    if node.manifest != entry.manifest:
        yield finding(Kind.EDITED_MANIFEST, node.path, f"not the one in {entry.folder}", node.path)
    else:
        differ = _differing(node.computation, entry.record)
        if differ:
            detail = f"{', '.join(differ)[:200]}: not as in {entry.folder}"
            yield finding(Kind.EDITED_RECORD, node.record_path, detail, node.path)


def rekeyed(node: Node, made: Iterable[Made]) -> Finding | None:
    """A finding if the cache has the computation under a key other than the run record's, which was then edited."""
    assert node.record is not None and node.computation is not None
    own, times = (node.label, digest(node.manifest)), _times(node.computation)
    for one in made:
        if (one.artifact, one.manifest) == own and times & one.times:
            detail = f"key {node.record['key'][:12]}: this computation is in {one.folder}"
            return finding(Kind.EDITED_RECORD, node.record_path, detail, node.path)
    return None


def _differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    names = (one.keys() | other.keys()) - {*_OWN}
    return sorted(name for name in names if name not in one or name not in other or one[name] != other[name])


def entry_claims(node: Node, entry: Entry, scanned: Scan) -> tuple[list[Claim], list[Finding]]:
    """Files of an entry that must be read because the study does not hold the very same files; and faults."""
    claims, findings = [], []
    recorded = entry.files()
    for suffix, one in recorded.items():
        path = stored(entry.folder, suffix)
        mine = scanned.files.get(node.file(suffix))
        try:
            status = path.lstat()
        except OSError as error:
            findings.append(_damaged(path, str(error.strerror)))
            continue
        if not stat.S_ISREG(status.st_mode):
            findings.append(_damaged(path, f"it is {kind_of(status.st_mode)}"))
        elif mine is None or (mine.st_dev, mine.st_ino) != (status.st_dev, status.st_ino):
            claims.append(Claim(node, suffix, path, one["sha256"], one["bytes"], Kind.DAMAGED_CACHE))
    expected = {entry.folder / ENTRY_MANIFEST, entry.folder / ENTRY_RECORD}
    expected |= {stored(entry.folder, suffix) for suffix in recorded}
    findings += [_damaged(path, "not a file of the entry") for path in _leaves(entry.folder) if path not in expected]
    return claims, findings


def _leaves(folder: Path) -> Iterator[Path]:
    """Everything in a folder except folders."""
    for path in folder.rglob("*"):
        if path.is_symlink() or not path.is_dir():
            yield path


def _damaged(path: Path, detail: str) -> Finding:
    return finding(Kind.DAMAGED_CACHE, path, detail)


def restored(node: Node, made: Iterable[Made]) -> Node | None:
    """The node with manifest and run record as in its cache entry, if one is faulty; None if no single entry fits.

    This way, an artifact's data files are checked even if the file that names them is damaged.
    """
    by_manifest = digest(node.manifest) if node.manifest else ""
    found = [one for one in made if one.artifact == node.label]
    best = [one for one in found if one.folder == entry_folder(node)]
    best = best or [one for one in found if one.manifest == by_manifest] or found
    if len(best) != 1:
        return None
    try:
        entry = read_entry(best[0].folder)
    except (OSError, Unfit):  # removed since
        return None
    return replace(node, manifest=entry.manifest, record=entry.record)
