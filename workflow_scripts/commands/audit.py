"""Check finished studies against their manifests and run records, all the way to the sources.

Exit status: 0 when all holds, 1 when something does not, 2 when there is nothing to audit.
"""

import argparse
import json
import logging
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from workflow_scripts.audit.audit import Audit, Audited
from workflow_scripts.audit.hashing import cores
from workflow_scripts.audit.kinds import Finding, Kind
from workflow_scripts.audit.notes import noted
from workflow_scripts.audit.shared import shared_findings
from workflow_scripts.audit.studies import studies_below
from workflow_scripts.commands.command import plain_errors
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.study.sizes import at_least_one

SHOWN = 20  # findings of one kind shown to people; --json has all


def audit(paths: Sequence[Path], configfiles: Sequence[str], quick: bool, jobs: int) -> list[Audited]:
    """The outcome for every study that a path names, in order; after those of a results folder, for what they share.

    Raises:
        PipelineError: a path holds no artifacts, or a config file is faulty.
    """
    done = []
    for path in paths:
        path = Path(os.path.abspath(path))
        studies = studies_below(path)
        for study in studies:
            scope = max(path, study, key=lambda one: len(one.parts))
            one = Audit(study, scope, noted(study, configfiles), quick, jobs).run()
            if not one.artifacts and not one.faults:
                raise PipelineError("no artifacts", path, "nothing to audit", "name a study, or something in it")
            done.append(one)
        if path == studies[0].parent:
            compared = {entry for one in done for entry in one.compared}
            done.append(Audited(path, 0, 0, 0, None, shared_findings(path, compared, quick, jobs)))
    return done


def table(done: Sequence[Audited], quick: bool, seconds: float) -> str:
    """The outcome for people."""
    lines = []
    for one in done:
        if one.artifacts or one.files:
            lines += [f"{_shown(one.study)}: {one.artifacts} artifacts, {one.files} files, {one.bytes / 1e6:.1f} MB"]
            lines += [f"  root {one.root or 'none: an artifact behind the report is missing'}"]
        elif one.findings:
            lines += [f"{_shown(one.study)}:"]
        for kind in Kind:
            lines += _of_kind(kind, [found for found in one.findings if found.kind is kind])
    faults = sum(len(one.faults) for one in done)
    checked = "sizes" if quick else "contents"
    said = "all holds" if not faults else f"{faults} fault{'s' if faults > 1 else ''}"
    return "\n".join([*lines, f"{said} ({checked} checked in {seconds:.1f} s)"]) + "\n"


def _of_kind(kind: Kind, findings: Sequence[Finding]) -> list[str]:
    if not findings:
        return []
    lines = [f"  {'note: ' if kind.note else ''}{kind.label} ({len(findings)}): {kind.meaning}"]
    for one in findings[:SHOWN]:
        lines.append(f"    {_shown(one.path)}: {one.detail}" + (f"; {one.advice}" if one.advice else ""))
    return lines + ([f"    … and {len(findings) - SHOWN} more; --json lists all"] if len(findings) > SHOWN else [])


def _shown(path: Path) -> str:
    """Relative to the working directory where it lies below, on one line and printable whatever the name."""
    text = str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)
    return text if text.isprintable() else ascii(text)


def as_json(done: Sequence[Audited], quick: bool) -> dict[str, Any]:
    """The outcome for programs."""
    studies = [
        {
            **{"study": str(one.study), "root": one.root, "artifacts": one.artifacts, "files": one.files},
            **{"bytes": one.bytes, "faults": [_json(f) for f in one.faults]},
            "notes": [_json(f) for f in one.findings if f.kind.note],
        }
        for one in done
    ]
    return {"holds": not any(one.faults for one in done), "contents": not quick, "studies": studies}


def _json(one: Finding) -> dict[str, str]:
    return {"kind": one.label, "path": str(one.path), "detail": one.detail, "advice": one.advice}


def main(argv: list[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m workflow_scripts.commands.audit", description=__doc__)
    parser.add_argument("path", nargs="*", type=Path, default=[Path("results")], help="results, a study, or a part")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--quick", action="store_true", help="check sizes, not contents")
    parser.add_argument("--jobs", type=at_least_one, default=cores(), help="files read at a time")
    parser.add_argument("--configfile", nargs="+", default=[], help="overlays of config.yaml, as given to snakemake")
    args = parser.parse_args(argv)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(message)s")
    start = time.monotonic()
    with plain_errors(2):
        done = audit(args.path, args.configfile, args.quick, args.jobs)
    text = table(done, args.quick, time.monotonic() - start)
    printed = json.dumps(as_json(done, args.quick), indent=1) + "\n" if args.json else text
    sys.stdout.write(printed.encode(errors="backslashreplace").decode())
    raise SystemExit(int(any(one.faults for one in done)))


if __name__ == "__main__":
    main()
