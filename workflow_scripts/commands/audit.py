"""``faithful-pairs audit``: is every file of finished studies intact?"""

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from workflow_scripts.commands.cache_gc import parse_size
from workflow_scripts.commands.cost import ConfigFiles

if TYPE_CHECKING:
    from workflow_scripts.audit.parts import Part

_PART = re.compile(r"([0-9]{1,9})/([0-9]{1,9})")
_SHARE = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)%")


def command(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="PATH", help="a results folder, a study, or a path in one; default: results"),
    ] = None,
    in_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="check sizes, not contents")] = False,
    jobs: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="files read at a time; default: one for each core")
    ] = None,
    part: Annotated[
        str | None, typer.Option(metavar="I/N", help="read the contents of one of N parts, such as 3/5")
    ] = None,
    sample: Annotated[
        str | None, typer.Option(metavar="P%", help="read what was read longest ago, up to this share of all bytes")
    ] = None,
    max_bytes: Annotated[str | None, typer.Option(metavar="SIZE", help="the same up to this size, such as 50G")] = None,
    configfile: ConfigFiles = None,
) -> None:
    """Check that every file of finished studies is intact.

    Files are compared with their manifests and run records, and these with each other, back to the external sources.
    Prints each finding with what to do about it, and one root hash per study: two people with the same root hash have
    the same study but for report and crate, byte for byte. docs/audit.md lists all findings.

    With --part, --sample or --max-bytes, only the contents of some artifacts are read; the sizes of all are compared.
    results/.audited notes when each was last read; the answer names what was read longest ago.

    \b
    Examples:
      faithful-pairs audit                                  # everything below results/
      faithful-pairs audit results/demo/pair_table --json
      faithful-pairs audit --max-bytes 50G                  # each night, say
      faithful-pairs audit results/redcaps2020-hubs --configfile profiles/overlays/hubs.yaml

    \b
    Exit status:
      0  everything is intact; artifacts may be stale, which the next run recomputes
      1  something is damaged, or unnamed
      2  nothing to audit, or wrong usage
    """
    import json
    import os
    import time

    from workflow_scripts.audit.audit import as_json, audit, table
    from workflow_scripts.core.runtime.job_log import log_to_stderr

    log_to_stderr()
    start = time.monotonic()
    some = chosen(part, sample, max_bytes)
    if some is not None and quick:
        raise typer.BadParameter("reads no contents, so that there are no parts", param_hint="--quick")
    files = [*map(str, configfile or [])]
    done = audit(paths or [Path("results")], files, quick, jobs or len(os.sched_getaffinity(0)), some)
    text = table(done, quick, time.monotonic() - start)
    sys.stdout.write(json.dumps(as_json(done, quick), indent=1) + "\n" if in_json else text)
    if any(one.faults for one in done):
        raise typer.Exit(1)


def chosen(part: str | None, sample: str | None, max_bytes: str | None) -> "Part | None":
    """The part that the options name; None without any.

    Raises:
        BadParameter: one has another form, or several are given.
    """
    from workflow_scripts.audit.parts import Part

    if sum(one is not None for one in (part, sample, max_bytes)) > 1:
        raise typer.BadParameter("give one of --part, --sample and --max-bytes", param_hint="--part")
    if part is not None:
        match = _PART.fullmatch(part)
        if match is None or not 1 <= int(match[1]) <= int(match[2]):
            raise typer.BadParameter(f"{part!r} is not a part such as 3/5", param_hint="--part")
        return Part(number=int(match[1]), of=int(match[2]))
    if sample is not None:
        match = _SHARE.fullmatch(sample)
        if match is None or not 0 < float(match[1]) <= 100:
            raise typer.BadParameter(f"{sample!r} is not a share such as 10%", param_hint="--sample")
        return Part(share=float(match[1]) / 100)
    if max_bytes is not None:
        try:
            return Part(limit=parse_size(max_bytes))
        except ValueError as error:  # typer's own parsing would leave out what a size looks like
            raise typer.BadParameter(str(error), param_hint="--max-bytes") from None
    return None
