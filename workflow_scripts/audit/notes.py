"""Notes beside the studies: today's config, the artifacts that were finished, and accepted code."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from workflow_scripts.audit.kinds import Finding, Kind, finding
from workflow_scripts.core.code_equivalence import acceptances_file, accepted
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.study.active_config import note_of, noted_artifacts, units_of

if TYPE_CHECKING:
    from workflow_scripts.study.units import Units


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
    except PipelineError as error:
        findings.append(finding(Kind.BROKEN_NOTE, note, str(error)))
    else:
        if artifacts is None and not configfiles:
            findings.append(finding(Kind.MISSING_NOTE, note, "each start of the workflow writes one"))
    if configfiles:
        units = units_of(results, study.name, configfiles)
    if units is None:
        findings.append(finding(Kind.NO_CONFIG, study, "the config files are not here, or are another study's"))
    try:
        accepted_code = tuple(accepted(results))
    except PipelineError as error:
        accepted_code = ()
        findings.append(finding(Kind.BROKEN_NOTE, acceptances_file(results), str(error)))
    return Noted(units, artifacts or frozenset(), accepted_code, tuple(findings))
