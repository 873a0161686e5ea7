"""Audits of a study."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from workflow_scripts.audit.audit import Audit, Audited, noted
from workflow_scripts.audit.kinds import Finding
from workflow_scripts.study.units import Units


def audited(study: Path, scope: Path | None = None, quick: bool = False, units: Units | None = None) -> Audited:
    known = noted(study)
    return Audit(study, scope or study, replace(known, units=units) if units else known, quick, jobs=2).run()


def kinds(findings: Iterable[Finding]) -> set[str]:
    return {fault.kind for fault in findings}
