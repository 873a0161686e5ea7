"""All checks before a run, and how their findings are reported."""

import sys
from collections.abc import Iterable, Iterator
from itertools import chain

from workflow_scripts.core.errors import PipelineErrors
from workflow_scripts.study.preflight.findings import Finding, Start
from workflow_scripts.study.preflight.machine import machine_findings
from workflow_scripts.study.preflight.sources import (
    annotation_findings,
    import_findings,
    lock_findings,
    source_findings,
)
from workflow_scripts.study.preflight.storage import storage_findings


def power_findings(start: Start) -> Iterator[Finding]:
    """Primary contrasts on which the study finds only effects that are larger than wanted."""
    wanted = start.units.study.smallest_effect
    if "pretrain" in start.stages and wanted is not None:
        from workflow_scripts.study.estimates.power import too_little_power  # imports scipy

        for error in too_little_power(start.units, wanted):
            yield Finding(error, certain=False)


CHECKS = (
    source_findings,
    lock_findings,
    annotation_findings,
    import_findings,
    machine_findings,
    storage_findings,
    power_findings,
)


def findings(start: Start) -> list[Finding]:
    """All findings, without repetition."""
    found = chain.from_iterable(check(start) for check in CHECKS)
    return list({str(one.error): one for one in found}.values())


def tell(found: Iterable[Finding], dry_run: bool) -> None:
    """Print warnings, and stop if a run is certain to fail; in a dry run everything is a warning.

    Raises:
        PipelineErrors: all errors that would make the run fail.
    """
    found = list(found)
    for one in found:
        if dry_run or not one.certain:
            sys.stderr.write(f"warning: {one.error}\n")
    certain = [one.error for one in found if one.certain]
    if certain and not dry_run:
        raise PipelineErrors(certain)
