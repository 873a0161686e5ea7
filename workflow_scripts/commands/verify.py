"""``faithful-pairs verify``: recompute sampled artifacts and compare them."""

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from workflow_scripts.core.errors.text import printed

if TYPE_CHECKING:
    from workflow_scripts.provenance.verify import Verdict


def command(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="a study, a stage's folder, or one manifest")],
    number: Annotated[
        int | None, typer.Option("--sample", min=1, metavar="N", help="number of artifacts to recompute; default: 12")
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="seed of the sample")] = 0,
    threads: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="math threads, instead of the recorded number")
    ] = None,
    device: Annotated[Literal["cpu", "cuda"] | None, typer.Option(help="device, instead of the recorded one")] = None,
    workers: Annotated[int, typer.Option(min=1, metavar="N", help="workers for reading and writing")] = 1,
    timeout: Annotated[float | None, typer.Option(metavar="SECONDS", help="time limit for one stage")] = None,
    scratch: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="parent of the clean folder; default: the system's temporary folder"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="verdicts as JSON")] = False,
) -> None:
    """Recompute a sample of artifacts and compare them.

    Each is computed in a clean folder from its recorded inputs, with the recorded settings, device and math threads.
    Nothing below PATH is changed. What differs is kept, and its folder is printed.

    \b
    Examples:
      faithful-pairs verify results/demo --sample 12
      faithful-pairs verify results/demo/pair_table --scratch /large/disk

    \b
    Exit status:
      0  every file is bit-exact, within tolerance, or not reproducible by design
      1  a file differs or can't be recomputed, or there is nothing to verify
      2  wrong usage
    """
    import json
    from dataclasses import asdict
    from tempfile import gettempdir

    from workflow_scripts.core.errors import PipelineError
    from workflow_scripts.provenance.nodes import load
    from workflow_scripts.provenance.verify import GOOD, Options, sample, verify_all
    from workflow_scripts.study.config.stages import tolerance

    options = Options(scratch or Path(gettempdir()), tolerance, threads, device, workers, timeout)
    nodes = sample(load(path), number or 12, seed)
    if not nodes:
        raise PipelineError("nothing to verify", path, "it contains no manifest", "give a folder with results")
    verdicts = verify_all(nodes, options)
    found = json.dumps([asdict(one) for one in verdicts], indent=1) + "\n" if as_json else printed(lines(verdicts))
    sys.stdout.write(found)
    if any(one.kind not in GOOD for one in verdicts):
        raise typer.Exit(1)


def lines(verdicts: Sequence["Verdict"]) -> list[str]:
    """One line per file, and a last one with the counts."""
    from workflow_scripts.provenance.verify import Kind

    text = [f"{one.kind:<26} {one.artifact}{one.suffix}{f'  ({one.detail})' if one.detail else ''}" for one in verdicts]
    counts = Counter(one.kind for one in verdicts)
    artifacts = len({one.artifact for one in verdicts})
    summed = ", ".join(f"{counts[kind]} {kind}" for kind in Kind if counts[kind])
    return [*text, f"{artifacts} artifacts, {len(verdicts)} files: {summed}"]
