"""All checks before a run, and how their findings are reported."""

import atexit
import sys
from collections.abc import Callable, Iterable, Iterator

from workflow_scripts.core.errors import PipelineErrors, error_lines
from workflow_scripts.study.preflight.findings import Finding, Start
from workflow_scripts.study.preflight.machine import machine_findings
from workflow_scripts.study.preflight.sources import SOURCE_CHECKS
from workflow_scripts.study.preflight.storage import storage_findings


def power_findings(start: Start) -> Iterator[Finding]:
    """Primary contrasts that no set decides, or on which the study finds only effects that are larger than wanted."""
    wanted = start.units.study.smallest_effect
    if start.stages & {"pretrain", "summary"}:
        # Here, as it imports scipy.
        from workflow_scripts.study.estimates.power import assumed, chance, powers, too_little_power, without_set

        found = powers(start.units)
        errors = [*without_set(start.units, found)]
        if "pretrain" in start.stages and wanted is not None:
            errors += too_little_power(found, wanted, assumed(chance(start.units))[0])
        yield from (Finding(error, certain=False) for error in errors)


CHECKS = (*SOURCE_CHECKS, machine_findings, storage_findings, power_findings)


def findings(start: Start) -> list[Finding]:
    """All findings, without repetition."""
    return list({str(one.error): one for check in CHECKS for one in check(start)}.values())


def tell(found: Iterable[Finding], dry_run: bool, at_end: Callable[..., object] = atexit.register) -> None:
    """Print warnings, and stop if a run is certain to fail.

    A dry run goes on, and prints them and the errors below everything that Snakemake prints.

    Args:
        at_end: has a function called, with its arguments, when the process ends.

    Raises:
        PipelineErrors: all errors that would make the run fail, unless it is a dry run.
    """
    found = list(found)
    lines = [f"warning: {one.error}" for one in found if not one.certain]
    certain = [one.error for one in found if one.certain]
    if not dry_run:
        _write(lines)
        if certain:
            raise PipelineErrors(certain)
    elif found:
        said = [f"A run would end with {len(certain)} error{'s' if len(certain) > 1 else ''}:"] if certain else []
        at_end(_write, [*lines, *said, *(error_lines(PipelineErrors(certain)) if certain else [])])


def _write(lines: Iterable[str]) -> None:
    sys.stdout.flush()
    sys.stderr.write("".join(f"{line}\n" for line in lines))
