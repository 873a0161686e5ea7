"""Checks a study against its manifests and run records: every file and every input, back to the sources.

This finds accidents and careless edits. A consistent rewrite of files, manifests, run records and cache remains
undetected unless the root hash was stored elsewhere.
"""

import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from humanize import naturalsize

from workflow_scripts.audit import parts
from workflow_scripts.audit.cache import (
    cache_of,
    entry_claims,
    entry_finding,
    made_in,
    rekeyed,
    restored,
    shared_findings,
)
from workflow_scripts.audit.files import Claim, claims_of, crate_findings, file_findings, source_claims, unnamed
from workflow_scripts.audit.kinds import Finding, Kind, finding
from workflow_scripts.audit.parts import Part, last_read, note_read
from workflow_scripts.audit.records import cycle_findings, input_findings, record_findings
from workflow_scripts.audit.scan import beside, beside_findings, scan
from workflow_scripts.core.artifact import MANIFEST, RUN, manifest_hash
from workflow_scripts.core.code_equivalence import acceptances_file, accepted, among, counted
from workflow_scripts.core.digest import Uses, uses_of
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.errors.text import printed
from workflow_scripts.core.files.bounded_json import Unfit
from workflow_scripts.core.files.names import CRATE, ENTRY_MANIFEST
from workflow_scripts.core.key import AROUND
from workflow_scripts.core.record import read_entry
from workflow_scripts.core.threads import mapped
from workflow_scripts.provenance.nodes import Node, locate, read_node, study_root
from workflow_scripts.provenance.run_metadata import time_text
from workflow_scripts.study.active_config import note_of, noted_artifacts, studies_at, units_of
from workflow_scripts.study.config.files import shown
from workflow_scripts.study.freshness import other_settings

if TYPE_CHECKING:
    from workflow_scripts.study.units import Units

SHOWN = 20  # findings of one kind shown to people; --json has all
READERS = 8  # manifests read at a time


@dataclass(frozen=True)
class Noted:
    """What an audit knows from the notes beside a study.

    Attributes:
        units: the study according to the current config; None if that is not known.
        artifacts: ``<stage>/<name>`` of artifacts that were finished.
        accepted: acceptances of code.
        findings: faults of the notes, and what is not known.
    """

    units: "Units | None" = None
    artifacts: frozenset[str] = frozenset()
    accepted: tuple[dict[str, str], ...] = ()
    findings: tuple[Finding, ...] = ()


def noted(study: Path, configfiles: Sequence[str] = ()) -> Noted:
    """Read the notes of a study; what is damaged is a finding and counts as not there.

    Args:
        configfiles: config files that were given instead of the noted ones.

    Raises:
        PipelineError: one of ``configfiles`` is missing or faulty.
    """
    results, findings = study.parent, []
    note, units, artifacts = note_of(results, study.name), None, None
    try:
        artifacts = noted_artifacts(results, study.name)
        units = units_of(results, study.name)
        if artifacts is None and not configfiles:
            findings.append(finding(Kind.DAMAGED_NOTE, note, "each start of the workflow writes one"))
    except PipelineError as error:
        findings.append(finding(Kind.DAMAGED_NOTE, note, str(error)))
    if configfiles:
        units = units_of(results, study.name, configfiles)
    if units is None:
        detail = "the config files are not here, or are another study's; give --configfile"
        findings.append(finding(Kind.NOT_COMPARED, study, detail))
    try:
        accepted_code = tuple(accepted(results))
    except PipelineError as error:
        accepted_code = ()
        findings.append(finding(Kind.DAMAGED_NOTE, acceptances_file(results), str(error)))
    return Noted(units, artifacts or frozenset(), accepted_code, tuple(findings))


@dataclass(frozen=True)
class Audited:
    """The outcome for one study.

    Attributes:
        study: its folder.
        artifacts: how many were checked.
        files: how many data files were checked.
        bytes: their recorded size.
        root: root hash over the manifests behind the report (over all, without a report); None when one is missing.
        findings: faults, what is stale, and notes, sorted.
        compared: cache entries that the artifacts were compared with.
        read: number of artifacts whose contents were read.
        ages: what was read longest ago (:func:`workflow_scripts.audit.parts.as_json`); None if nothing was noted.
    """

    study: Path
    artifacts: int
    files: int
    bytes: int
    root: str | None
    findings: list[Finding]
    compared: frozenset[Path] = frozenset()
    read: int = 0
    ages: dict[str, Any] | None = None

    @property
    def faults(self) -> list[Finding]:
        """Findings of what is damaged or unnamed."""
        return [found for found in self.findings if found.kind.fault]

    @property
    def stale(self) -> list[Finding]:
        """Findings of artifacts that the next run would recompute."""
        return [found for found in self.findings if found.kind is Kind.STALE]


class Audit:
    """One study's audit.

    Args:
        study: the study's folder.
        scope: only artifacts and files below this folder, or the artifact of this file, are checked.
        noted: what is known from beside the study.
        quick: sizes instead of contents, and no look at the cache.
        jobs: files hashed at a time.
    """

    def __init__(self, study: Path, scope: Path, noted: Noted, quick: bool, jobs: int) -> None:
        self.study, self.scope, self.noted, self.quick, self.jobs = study, scope, noted, quick, jobs
        self.scan = scan(study)
        own = [path for path in self.scan.files.keys() | self.scan.odd if path.parent.parent == study]
        paths = {path for path in own if path.name.endswith(MANIFEST)}
        # Records without a manifest too, which is named as missing.
        paths |= {path.with_name(path.name.removesuffix(RUN) + MANIFEST) for path in own if path.name.endswith(RUN)}
        self.nodes = list(mapped(read_node, sorted(paths), READERS))  # so that a slow file system's answers overlap
        self.known = {node.path: node for node in self.nodes}
        self.trusted = set(self.known)
        self.at_fault: set[Path] = set()
        self.found = list(self.scan.found)
        self._code = cache(self._current_code)
        self._made_in = cache(made_in)
        self._hashes = cache(
            lambda stage: {manifest_hash(entry.folder / ENTRY_MANIFEST) for entry in self._made_in(stage)}
        )
        self.compared: set[Path] = set()
        self.chosen: Collection[Path] = () if quick else self.known  # manifests of artifacts whose contents are read

    @cached_property
    def scoped(self) -> list[Node]:
        """The artifacts that are checked."""
        scoped = [node for node in self.nodes if node.path.is_relative_to(self.scope)]
        if scoped or self.scope == self.study:
            return scoped
        try:
            artifact = locate(self.scope).node.path  # of one file, or of the folder of its files
        except PipelineError:
            if self.scope.is_file():
                raise
            return []
        return [node for node in self.nodes if node.path == artifact]

    def run(self) -> Audited:
        """Check all that is in scope."""
        self._records()
        scoped = self.scoped
        more = [] if self.quick else self._cache(scoped)
        claims = {node.path: claims_of(*self._claimed(node)) for node in self.nodes}
        mine = [claim for node in scoped for claim in claims[node.path]]
        every = [claim for found in claims.values() for claim in found]
        for node in scoped:
            if node.stage == "source" and node.path in self.trusted:
                sources, findings = source_claims(node)
                more += sources
                self.found += findings
        owners = {claim.sha256: claim.path for claim in reversed(every)}
        self.found += file_findings([*mine, *more], self.scan, owners, self.jobs, self.chosen)
        trusted = [node for node in scoped if node.path in self.trusted]
        self.found += input_findings(trusted, self.known, self.at_fault | self.scan.odd, self._cached)
        self.found += cycle_findings(trusted, self.known)
        self.found += [found for node in trusted for found in self._out_of_date(node, node.record or {})]
        self._others({claim.path for claim in every} | beside(self.study, self.scan))
        if not self.quick:
            self.found += beside_findings(self.study, self.scan)
        root, behind = study_root(node for node in self.nodes if node.path in self.trusted)
        crate = self.study / CRATE
        if self.scope == self.study and not self.quick and crate.exists():
            self.found += crate_findings(crate, root)
        apart = [node.path for node in self.nodes if node.stage not in AROUND and node.label not in behind]
        detail = "the report was not made from it"
        self.found += [finding(Kind.OUTSIDE, path, detail) for path in apart if path in self.trusted]
        self.found = with_one_clock(self.found, self.scope)
        paths = {node.path for node in scoped}
        kept = {found for found in self.found if found.owner in paths or found.owner.is_relative_to(self.scope)}
        kept |= set(self.noted.findings)
        read = sum(node.path in self.chosen for node in scoped)
        counts = len(scoped), len(mine), sum(claim.bytes for claim in mine)
        return Audited(self.study, *counts, root, sorted(kept), frozenset(self.compared), read)

    def note(self) -> dict[str, Any] | None:
        """Note the artifacts that were read and have no fault; gives what was read longest ago."""
        if self.quick or not self.nodes:
            return None
        faulty = {found.owner for found in self.found if found.kind.fault}
        times, now = last_read(self.study, self.nodes), parts.now()
        times |= {node.path: now for node in self.scoped if node.path in self.chosen and node.path not in faulty}
        note_read(self.study, self.nodes, times)
        return parts.as_json(self.scoped, times)

    def _records(self) -> None:
        """Manifests and run records; which of them are to be trusted."""
        written_for = {(node.computation or {}).get("manifest", ""): node.label for node in self.nodes}
        for node in self.nodes:
            for found in record_findings(node, written_for, to_the_byte=not self.quick):
                self._doubt(found)

    def _doubt(self, found: Finding) -> None:
        if found.kind is not Kind.IMPOSSIBLE_TIME:
            self.trusted.discard(found.owner)
        if found.path == found.owner:
            self.at_fault.add(found.owner)
        if found.path not in self.scan.odd:  # a FIFO, say, which is named as such
            self.found.append(found)

    def _claimed(self, node: Node) -> tuple[Node, bool]:
        """The node by which an artifact's files are checked, and whether its record is to be believed."""
        if node.path in self.trusted:
            return node, True
        other = restored(node, self._made_in(cache_of(node)))
        return (other, True) if other else (node, False)

    def _cache(self, nodes: Collection[Node]) -> list[Claim]:
        """Compare with the cache; gives the files in it that have to be read."""
        claims: list[Claim] = []
        missing = 0
        for node in nodes:
            if node.path not in self.trusted:
                continue
            folder = cache_of(node) / (node.record or {})["key"]
            if not folder.is_symlink() and not folder.exists():
                missing += 1
                self._without_entry(node)
                continue
            self.compared.add(folder)
            try:
                entry = read_entry(folder, to_the_byte=True)
            except (Unfit, OSError) as error:
                self.found.append(finding(Kind.DAMAGED_STORE, folder, str(error), node.path))
                continue
            if (edited := entry_finding(node, entry)) is not None:
                self._doubt(edited)
            there, damaged = entry_claims(node, entry, self.scan)
            claims += there
            self.found += damaged
        if missing:
            detail = f"{missing} of {len(nodes)} artifacts have no cache entry"
            self.found.append(finding(Kind.NOT_COMPARED, self.study, detail))
        return claims

    def _cached(self, node: Node, manifest: str) -> bool:
        return manifest in self._hashes(cache_of(node))

    def _without_entry(self, node: Node) -> None:
        """Name artifacts without a cache entry that should have one: the cache keeps everything that studies use."""
        if not cache_of(node).parent.is_dir():  # left behind when the study was moved
            return
        edited = rekeyed(node, self._made_in(cache_of(node)))
        if edited is not None:
            self._doubt(edited)
        elif self.noted.artifacts and node.label not in self.noted.artifacts:
            detail = "not in the cache, and not there when the workflow last started or ended"
            self.found.append(finding(Kind.UNNAMED, node.path, detail))

    def _others(self, claimed: Collection[Path]) -> None:
        """Files that nothing names, and artifacts that were finished and left nothing."""
        doubtful = [str(path).removesuffix(MANIFEST) for path in {*self.at_fault, *self.known} - self.trusted]
        self.found += unnamed(self.study, self.scan, claimed, doubtful)
        if self.noted.artifacts and not self.study.exists():
            self.found.append(finding(Kind.MISSING, self.study, "the whole study is missing"))
            return
        told = {found.path for found in self.found} | self.known.keys()
        for label in sorted(self.noted.artifacts):
            path = self.study / f"{label}{MANIFEST}"
            wanted = self.noted.units is None or self.noted.units.holds(*label.split("/", 1))
            if wanted and path not in told and not self.scan.hides(path):
                self.found.append(finding(Kind.MISSING, path, "it was finished in the last run"))

    def _out_of_date(self, node: Node, record: dict[str, Any]) -> Iterator[Finding]:
        """Compare current code and settings with the recorded ones; list acceptances."""
        today, by_acceptance = self._code(node.stage, uses_of(record.get("uses", {})))
        if record["code"] != today:
            yield finding(Kind.STALE, node.path, f"made by {record['code'][:12]}, now {today[:12]}")
        elif (one := record.get("accepted")) and (
            by_acceptance or one["when"] <= str((node.computation or {}).get("start"))  # made by the accepted code
        ):
            yield finding(Kind.ACCEPTED, node.path, f"{one['reason']} ({one['when']})")
        units = self.noted.units
        if units is not None and units.holds(node.stage, node.name):
            try:
                differ = other_settings(record, node.stage, units.settings(node.stage, record["unit"]))
            except KeyError as error:
                differ = [f"the current study has no such unit ({error})"]
            if differ:
                yield finding(Kind.STALE, node.path, "; ".join(differ))

    def _current_code(self, stage: str, uses: Uses) -> tuple[str, bool]:
        """The code that a stage's current code counts as, and whether because of an acceptance."""
        try:
            return counted(self.noted.accepted, stage, uses), among(self.noted.accepted, stage, uses) is not None
        except OSError:
            return "no such stage", False


def with_one_clock(found: Sequence[Finding], folder: Path) -> list[Finding]:
    """The findings, with one for ``folder`` in place of several impossible times: a clock is wrong, not each file."""
    times = sorted({fault for fault in found if fault.kind is Kind.IMPOSSIBLE_TIME})
    if len(times) < 2:
        return list(found)
    detail = f"{len(times)} files and records; the first: {shown(times[0].path)}, {times[0].detail}"
    others = [fault for fault in found if fault.kind is not Kind.IMPOSSIBLE_TIME]
    return [*others, finding(Kind.IMPOSSIBLE_TIME, folder, detail)]


def audit(
    paths: Sequence[Path], configfiles: Sequence[str], quick: bool, jobs: int, part: Part | None = None
) -> list[Audited]:
    """The outcome for every study that a path names, in order; after those of a results folder, for what they share.

    Args:
        part: which artifacts are read; None: all.

    Raises:
        PipelineError: a path holds no artifacts, or a config file is faulty.
    """
    done: list[Audited] = []
    for path in paths:
        path = Path(os.path.abspath(path))
        studies = [study for study in studies_at(path) if study.is_dir() or _was_finished(study)]
        audits = [
            Audit(study, max(path, study, key=lambda one: len(one.parts)), noted(study, configfiles), quick, jobs)
            for study in studies
        ]
        if part is not None:
            nodes = [node for one in audits for node in one.scoped]
            times = {manifest: when for one in audits for manifest, when in last_read(one.study, one.nodes).items()}
            chosen = part.choose(nodes, times)
            for one in audits:
                one.chosen = chosen
        outcomes = [replace(one.run(), ages=one.note()) for one in audits]
        found = [one for one in outcomes if one.artifacts or one.faults]
        if not found:
            raise PipelineError("no artifacts", path, "nothing to audit", "give a study or a path in it")
        done += found
        if path == studies[0].parent:
            compared = {entry for outcome in done for entry in outcome.compared}
            if quick:
                shared = []
            elif part is None or part.number == 1:
                shared = shared_findings(path, compared, jobs)
            else:
                detail = "the cache and the store of fetched bytes are read by a whole audit and by --part 1"
                shared = [finding(Kind.NOT_COMPARED, path, detail)]
            done.append(Audited(path, 0, 0, 0, None, shared))
    return done


def _was_finished(study: Path) -> bool:
    try:
        return bool(noted_artifacts(study.parent, study.name))
    except PipelineError:
        return True


# The outcome as text for people and as JSON --------------------------------------------------------------------------


def table(done: Sequence[Audited], quick: bool, seconds: float) -> str:
    """The outcome for people."""
    lines = []
    for outcome in done:
        if outcome.artifacts or outcome.files:
            counts = f"{outcome.artifacts} artifacts, {outcome.files} files, {naturalsize(outcome.bytes)}"
            root = outcome.root or "none: an artifact behind the report is missing"
            lines += [f"{shown(outcome.study)}: {counts}", f"  root {root}"]
            lines += [] if outcome.ages is None else [_ages(outcome, outcome.ages)]
        elif outcome.findings:
            lines += [f"{shown(outcome.study)}:"]
        for kind in Kind:
            lines += _of_kind(kind, [found for found in outcome.findings if found.kind is kind])
    faults = sum(len(one.faults) for one in done)
    checked = "sizes" if quick else "contents"
    stale = len({found.owner for one in done for found in one.stale})
    said = "everything is intact" if not faults else f"{faults} fault{'s' if faults > 1 else ''}"
    said += f"; {stale} {'artifacts are' if stale > 1 else 'artifact is'} stale" if stale else ""
    return printed([*lines, f"{said} ({checked} checked in {seconds:.1f} s)"])


def _ages(outcome: Audited, ages: dict[str, Any]) -> str:
    longest = ages["read_longest_ago"]
    text = f"  contents of {outcome.read:,} artifacts read"
    text += f"; longest ago: {longest['artifact']}, {time_text(longest['when'])}" if longest else ""
    return text + (f"; never without a fault: {ages['never_read']:,}" if ages["never_read"] else "")


def _of_kind(kind: Kind, findings: Sequence[Finding]) -> list[str]:
    if not findings:
        return []
    lines = [f"  {'note: ' if kind.note else ''}{kind} ({len(findings)}): {kind.meaning}"]
    for fault in findings[:SHOWN]:
        lines.append(f"    {shown(fault.path)}: {fault.detail}" + (f"; {fault.advice}" if fault.advice else ""))
    return lines + ([f"    … and {len(findings) - SHOWN} more; --json lists all"] if len(findings) > SHOWN else [])


def as_json(done: Sequence[Audited], quick: bool) -> dict[str, Any]:
    """The outcome for programs."""
    studies = [
        {
            "study": str(outcome.study),
            "root": outcome.root,
            "artifacts": outcome.artifacts,
            "files": outcome.files,
            "bytes": outcome.bytes,
            "read": outcome.read,
            "ages": outcome.ages,
            "faults": [_json(fault) for fault in outcome.faults],
            "stale": [_json(found) for found in outcome.stale],
            "notes": [_json(note) for note in outcome.findings if note.kind.note],
        }
        for outcome in done
    ]
    return {"holds": not any(one.faults for one in done), "contents": not quick, "studies": studies}


def _json(one: Finding) -> dict[str, str]:
    return {"kind": one.kind, "path": str(one.path), "detail": one.detail, "advice": one.advice}
