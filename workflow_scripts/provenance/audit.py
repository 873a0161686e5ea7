"""Whether a study is what its manifests and run records say: every file, every input, all the way to the sources.

This finds accidents and careless edits. Someone who rewrites files, manifests, run records and cache together goes
unnoticed, unless the root hash was written down elsewhere.
"""

from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workflow_scripts.core.accepted import counted_code, in_force
from workflow_scripts.core.artifact import MANIFEST
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.freshness import other_settings
from workflow_scripts.provenance.audit_files import (
    Claim,
    claims_of,
    content_findings,
    lonely_records,
    owners_of,
    size_findings,
    unnamed_files,
)
from workflow_scripts.provenance.audit_kinds import Finding, Kind, finding
from workflow_scripts.provenance.audit_records import input_findings, record_findings
from workflow_scripts.provenance.audit_sources import source_claims
from workflow_scripts.provenance.locate import locate
from workflow_scripts.provenance.nodes import Node, input_path, read, walk
from workflow_scripts.provenance.root import AROUND, root_hash

if TYPE_CHECKING:
    from workflow_scripts.core.units import Units

REPORT = "report/index"
READERS = 8  # manifests read at a time


@dataclass(frozen=True)
class Audited:
    """The outcome for one study.

    Attributes:
        study: its folder.
        artifacts: how many were checked.
        files: how many data files were checked.
        bytes: their recorded size.
        root: root hash over the manifests behind the report (over all, without a report); None when one is gone.
        findings: faults and notes, sorted.
    """

    study: Path
    artifacts: int
    files: int
    bytes: int
    root: str | None
    findings: list[Finding]

    @property
    def faults(self) -> list[Finding]:
        """Findings that are no mere notes."""
        return [one for one in self.findings if not one.kind.note]


class Audit:
    """One study's audit.

    Args:
        study: the study's folder.
        scope: only artifacts and files below this folder, or the artifact of this file, are checked.
        units: the study by today's config; None when none is known.
        quick: sizes instead of contents.
        jobs: files hashed at a time.
    """

    def __init__(self, study: Path, scope: Path, units: "Units | None", quick: bool, jobs: int) -> None:
        self.study, self.scope, self.units, self.quick, self.jobs = study, scope, units, quick, jobs
        self.all_files = list(walk(study))
        with ThreadPoolExecutor(max_workers=READERS) as pool:  # so that a slow file system's answers overlap
            manifests = [path for path in self.all_files if path.name.endswith(MANIFEST)]
            self.nodes = list(pool.map(read, manifests))
        self.known = {node.path: node for node in self.nodes}
        # Each with the manifest of the artifact at fault, or with its own path where it belongs to none.
        self.found: list[tuple[Path, Finding]] = []
        self._code = cache(self._counted_code)

    def run(self) -> Audited:
        """Check all that is in scope."""
        self._records()
        claims = {
            node.path: claims_of(node, with_record=node.path in self.trusted)
            for node in self.nodes
            if node.path not in self.at_fault
        }
        scoped = [node for node in self.nodes if node.path.is_relative_to(self.scope)]
        if not scoped and self.scope != self.study:  # one artifact's file, or the folder of its files
            one = self._artifact_of_scope()
            scoped = [node for node in self.nodes if node.path == one]
        mine = [claim for node in scoped for claim in claims.get(node.path, [])]
        every = [claim for found in claims.values() for claim in found]
        self._files([*mine, *(claim for node in scoped for claim in self._source(node))], every)
        for node in scoped:
            if node.record is not None and node.path in self.trusted:
                checks = (input_findings(node, self.known, self.at_fault), self._today(node, node.record))
                self.found += [(node.path, found) for check in checks for found in check]
        sound = [node for node in self.nodes if node.path in self.trusted]
        named = {node.file(suffix) for node in sound for suffix in (node.computation or {}).get("beside", ())}
        self._unnamed(named | {claim.path for claim in every})
        root, behind = study_root(node for node in self.nodes if node.path in self.trusted)
        self._notes(behind)
        paths = {node.path for node in scoped}
        kept = {found for path, found in self.found if path in paths or path.is_relative_to(self.scope)}
        return Audited(self.study, len(scoped), len(mine), sum(claim.bytes for claim in mine), root, sorted(kept))

    def _artifact_of_scope(self) -> Path | None:
        try:
            return locate(self.scope).node.path
        except PipelineError:
            if self.scope.is_file():
                raise
            return None

    def _records(self) -> None:
        """Manifests and run records; which of them are to be trusted."""
        made = [(node.computation or {}).get("manifest") for node in self.nodes]
        written_for = {str(value): node.label for value, node in zip(made, self.nodes, strict=True) if value}
        for node in self.nodes:
            findings = record_findings(node, written_for, to_the_byte=not self.quick)
            self.found += [(node.path, found) for found in findings]
        lonely = lonely_records(self.all_files, self.known)
        self.found += [(p, finding(Kind.MISSING_MANIFEST, p, "its run record stands there alone", p)) for p in lonely]
        self.at_fault = {path for path, found in self.found if found.path == path}
        doubted = {path for path, _ in self.found}
        self.trusted = {node.path for node in self.nodes if node.path not in doubted}

    def _source(self, node: Node) -> list[Claim]:
        if node.stage != "source" or node.path not in self.trusted:
            return []
        claims, findings = source_claims(node)
        self.found += [(node.path, found) for found in findings]
        return claims

    def _files(self, claims: list[Claim], others: list[Claim]) -> None:
        wrong = list(size_findings(claims))
        if not self.quick:
            # A file of another size is read too: it may be another artifact's.
            wrong = [(claim, found) for claim, found in wrong if not claim.path.exists()]
            gone = {claim.path for claim, _ in wrong}
            there = [claim for claim in claims if claim.path not in gone]
            wrong += content_findings(there, owners_of(others), self.jobs)
        self.found += [(claim.node.path, found) for claim, found in wrong]

    def _unnamed(self, claimed: Collection[Path]) -> None:
        doubtful = {path for path in (*self.at_fault, *self.known) if path not in self.trusted}
        stems = [Path(str(path).removesuffix(MANIFEST)) for path in doubtful]
        self.found += [(found.path, found) for found in unnamed_files(self.study, self.all_files, claimed, stems)]

    def _today(self, node: Node, record: dict[str, Any]) -> Iterator[Finding]:
        """Code and settings of today against the recorded ones; what was accepted."""
        today = self._code(node.stage)
        if record.get("code") != today:
            detail = f"made by {str(record.get('code'))[:12]}, today's is {today[:12]}"
            yield finding(Kind.OTHER_CODE, node.path, detail)
        elif (one := record.get("accepted")) and (self._in_force(node.stage) or self._made_after(one, node)):
            yield finding(Kind.ACCEPTED, node.path, f"{one['reason']} ({one['when']})")
        if self.units is not None and self.units.holds(node.stage, node.name):
            differ = other_settings(record, node.stage, self.units.settings(node.stage, record["unit"]))
            if differ:
                yield finding(Kind.OTHER_SETTINGS, node.path, "; ".join(differ))

    def _counted_code(self, stage: str) -> str:
        try:
            return counted_code(stage, self.study.parent)
        except FileNotFoundError:
            return "no such stage"

    def _in_force(self, stage: str) -> bool:
        return in_force(stage, self.study.parent) is not None

    @staticmethod
    def _made_after(acceptance: dict[str, str], node: Node) -> bool:
        """Whether it was the accepted code that made the artifact, and not the code that it counts as."""
        return acceptance["when"] <= str((node.computation or {}).get("start"))

    def _notes(self, behind: Collection[str]) -> None:
        notes = [] if self.units else [finding(Kind.NO_CONFIG, self.study, "the last start of the workflow noted none")]
        for node in self.nodes:
            if node.stage not in AROUND and node.label not in behind and node.path in self.trusted:
                notes.append(finding(Kind.OUTSIDE, node.path, "the report was not made from it"))
        self.found += [(one.path, one) for one in notes]


def study_root(nodes: Iterable[Node]) -> tuple[str | None, set[str]]:
    """The root hash that the report shows, by the manifests of today, and the labels behind it.

    Without a report it is over all artifacts. None when an artifact behind the report is gone.
    """
    by_label = {node.label: node for node in nodes}
    report = by_label.get(REPORT)
    labels = {label for label in by_label if label.split("/")[0] not in AROUND}
    if report is not None and report.record is not None:
        files = report.record.get("input_files", {})
        paths = [input_path(report, path) for found in files.values() for path in found]
        labels = {f"{path.parent.name}/{path.name.removesuffix(MANIFEST)}" for path in paths}
    if not labels <= by_label.keys():
        return None, labels
    return root_hash((label, by_label[label].hash) for label in labels), labels


def studies_below(path: Path) -> list[Path]:
    """The studies that a path names: those of a results folder, or the one that it is or lies in.

    Raises:
        PipelineError: there is no artifact at, below or above it.
    """
    if path.exists():
        for study in (path, *list(path.parents)[:4]):
            if next(study.glob(f"*/*{MANIFEST}"), None) is not None:
                return [study]
        found = sorted({manifest.parent.parent for manifest in path.glob(f"*/*/*{MANIFEST}")})
        if found:
            return found
    advice = "name a results folder, a study, or something in it"
    raise PipelineError("no artifacts", path, "nothing to audit" if path.exists() else "not there", advice)
