"""Compares a study's artifacts with their cache entries, and checks what the studies of a results folder share.

If a file was rewritten with its manifest and run record, but not in the cache, it shows here. The rest of the cache,
remembered hashes and the store of fetched bytes are verified whenever they are read. They are checked because a disk
that damages one file may damage others, and because images that were exchanged between URLs in the store would be
packed like that.
"""

import stat
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from workflow_scripts.audit.files import Claim, file_findings
from workflow_scripts.audit.kinds import Finding, Kind, finding
from workflow_scripts.audit.scan import Scan
from workflow_scripts.core.cache import results_root, stored
from workflow_scripts.core.code_equivalence import acceptances_file
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.bounded_json import Unfit, kind_of
from workflow_scripts.core.files.jsonio import digest
from workflow_scripts.core.files.names import CACHE, DISCARDED, ENTRY_MANIFEST, ENTRY_RECORD, FETCHED, NOTES, STAGING
from workflow_scripts.core.files.notes import read_note
from workflow_scripts.core.record import Entry, Loaded, read_entry
from workflow_scripts.core.sources import REMEMBERED
from workflow_scripts.provenance.nodes import Node

_ABSENT = object()
_OWN = ("self", "cached", "accepted")  # fields in which a study's record may differ from the entry's


def made_in(stage: Path) -> list[Entry]:
    """The intact entries in a stage's folder of the cache, in order."""
    found = []
    for folder in sorted(stage.glob("[!.]*")):
        with suppress(OSError, Unfit):
            found.append(read_entry(folder, to_the_byte=True))
    return found


def cache_of(node: Node) -> Path:
    """The folder of the cache for an artifact's stage."""
    return results_root(node.path) / CACHE / node.stage


def entry_finding(node: Node, entry: Entry) -> Finding | None:
    """A finding if an artifact is not what its cache entry says."""
    if node.manifest != entry.manifest:
        return finding(Kind.EDITED_RECORD, node.path, f"not the one in {entry.folder}", node.path)
    made = node.computation or {}
    names = (made.keys() | entry.record.keys()) - {*_OWN}
    differ = sorted(name for name in names if made.get(name, _ABSENT) != entry.record.get(name, _ABSENT))
    detail = f"{', '.join(differ)[:200]}: not as in {entry.folder}"
    return finding(Kind.EDITED_RECORD, node.record_path, detail, node.path) if differ else None


def rekeyed(node: Node, made: Iterable[Entry]) -> Finding | None:
    """A finding if the cache has the computation under a key other than the run record's, which was then edited."""
    record, then, own = node.record or {}, node.computation or {}, (node.label, digest(node.manifest))
    for entry in made:
        is_own = (entry.record["artifact"], entry.record["manifest"]) == own
        if is_own and {then["start"], then["end"]} & {entry.record["start"], entry.record["end"]}:
            detail = f"key {record['key'][:12]}: this computation is in {entry.folder}"
            return finding(Kind.EDITED_RECORD, node.record_path, detail, node.path)
    return None


def entry_claims(node: Node, entry: Entry, scanned: Scan) -> tuple[list[Claim], list[Finding]]:
    """Files of an entry that must be read because the study does not hold the very same files; and faults."""
    claims, findings = [], []
    recorded = entry.files
    for suffix, one in recorded.items():
        path = stored(entry.folder, suffix)
        mine = scanned.files.get(node.file(suffix))
        try:
            status = path.lstat()
        except OSError as error:
            findings.append(finding(Kind.DAMAGED_STORE, path, str(error.strerror), node.path))
            continue
        if not stat.S_ISREG(status.st_mode):
            findings.append(finding(Kind.DAMAGED_STORE, path, f"it is {kind_of(status.st_mode)}", node.path))
        elif mine is None or (mine.st_dev, mine.st_ino) != (status.st_dev, status.st_ino):
            claims.append(Claim(node.path, path, one["sha256"], one["bytes"], Kind.DAMAGED_STORE))
    expected = {entry.folder / ENTRY_MANIFEST, entry.folder / ENTRY_RECORD}
    expected |= {stored(entry.folder, suffix) for suffix in recorded}
    findings += [
        finding(Kind.DAMAGED_STORE, path, "not a file of the entry", node.path)
        for path in entry.folder.rglob("*")
        if path not in expected and (path.is_symlink() or not path.is_dir())
    ]
    return claims, findings


def restored(node: Node, made: Iterable[Entry]) -> Node | None:
    """The node with manifest and run record as in its cache entry, if one is faulty; None if no single entry fits.

    This way, an artifact's data files are checked even if the file that names them is damaged.
    """
    by_manifest = digest(node.manifest) if node.manifest else ""
    found = [entry for entry in made if entry.record["artifact"] == node.label]
    best = [entry for entry in found if entry.folder.name == (node.record or {}).get("key")]
    best = best or [entry for entry in found if entry.record["manifest"] == by_manifest] or found
    if len(best) != 1:
        return None
    return replace(node, manifest_file=Loaded(b"", best[0].manifest), record_file=Loaded(b"", best[0].record))


def shared_findings(results: Path, compared: Collection[Path], jobs: int) -> list[Finding]:
    """Findings of damage.

    Args:
        compared: cache entries that were compared with a study's artifacts.
        jobs: files hashed at a time.
    """
    found = [*_links(results), *_no_folders(results), *_cache(results / CACHE, compared, jobs), *_remembered(results)]
    if (results / FETCHED).is_dir():
        # Not before: loading what reads the store takes longer than auditing a small study.
        from workflow_scripts.audit.store import store_findings

        found += store_findings(results / FETCHED)
    return found


def _links(results: Path) -> Iterator[Finding]:
    """Links beside the studies: another results folder may change what they lead to."""
    folders = [path for name in (CACHE, FETCHED) for path in sorted((results / name).glob("*")) if path.is_dir()]
    notes = [*sorted((results / NOTES).glob("*")), acceptances_file(results)]
    for path in [*(results / name for name in (CACHE, FETCHED, NOTES)), *folders, *notes]:
        if path.is_symlink():
            yield finding(Kind.LINK, path, f"leads to {path.readlink()}")


def _no_folders(results: Path) -> Iterator[Finding]:
    """What lies in the place of the cache, of a stage's folder in it, or of the store, and is no folder."""
    for path in (results / CACHE, *sorted((results / CACHE).glob("[!.]*")), results / FETCHED):
        if path.exists() and not path.is_dir():
            yield finding(Kind.DAMAGED_STORE, path, "not a folder")


def _cache(cache: Path, compared: Collection[Path], jobs: int) -> Iterator[Finding]:
    claims: list[Claim] = []
    for entry in sorted(cache.glob("[!.]*/*")):
        # Running and killed jobs leave unfinished ones; cache-gc removes them.
        if entry in compared or entry.name.startswith((STAGING, DISCARDED)):
            continue
        try:
            files = read_entry(entry, to_the_byte=True).files
        except (Unfit, OSError) as error:
            yield finding(Kind.DAMAGED_STORE, entry, str(error))
            continue
        claims += [
            Claim(entry, stored(entry, suffix), file["sha256"], file["bytes"], Kind.DAMAGED_STORE)
            for suffix, file in files.items()
        ]
    yield from file_findings(claims, Scan(), {}, jobs, {claim.owner for claim in claims})


def _remembered(results: Path) -> Iterator[Finding]:
    for path in sorted((results / REMEMBERED).glob("*")):
        try:
            read_note(path, "delete it")
        except PipelineError as error:
            yield finding(Kind.DAMAGED_STORE, path, str(error.value))
