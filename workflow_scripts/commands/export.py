"""``faithful-pairs export``: a run's network in a folder that timm and PyTorch load, with a model card."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from workflow_scripts.core.errors.text import printed

TERMS = "licence of the weights or tables: a URL, an SPDX id, or a sentence"
Licence = Annotated[str | None, typer.Option("--licence", "--license", metavar="TEXT", help=TERMS)]
"""The option of commands that write something for others."""


def command(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="the run, such as results/demo/pretrain/RUN")],
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="new or empty folder, or that of an earlier export")],
    checkpoint: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="last, best, step-000200 or epoch-0010; default: the one in the report"),
    ] = None,
    licence: Licence = None,
) -> None:
    """Export a run's network with a model card.

    Writes the weights as safetensors, a config.json in timm's form, a loader for torch.hub (hubconf.py) and a model
    card (README.md): data, captions, pairs, budget, scores with intervals, limits and provenance. The folder can be
    uploaded to the Hugging Face hub as it is. Before it is put in place, the network is loaded from it by each library
    and must give the features of the study's network.

    The run must be finished and up to date, and its study must have a report. A record in the study's folder copies
    lists the images that the network learned from: if one is removed later, faithful-pairs remove adds it to the card.

    \b
    Examples:
      faithful-pairs export results/demo/pretrain/simclr-revised-crop-resnet_small-s0 exported/revised
      faithful-pairs export results/redcaps/pretrain/RUN exported/RUN --checkpoint best --licence cc-by-4.0

    \b
    Exit status:
      0  exported
      1  the run is unfinished, out of date or unknown, or the folder has other files
      2  wrong usage
    """
    from workflow_scripts.export.card import UNKNOWN
    from workflow_scripts.export.network import export
    from workflow_scripts.export.run import find_run

    if licence is not None and not licence.strip():
        raise typer.BadParameter("the text is empty", param_hint="--licence")
    found = find_run(run, checkpoint)
    learned, in_timm = export(found, folder.absolute(), licence or UNKNOWN)
    how = "timm and torch.hub load it" if in_timm else "torch.hub loads it; timm has no such architecture"
    most = "at most " if found.metadata["checkpoints"][found.checkpoint] < found.metadata["steps_done"] else ""
    line = f"{folder}: checkpoint {found.checkpoint}, learned from {most}{learned} images; {how}"
    sys.stdout.write(printed([line]))
    if licence is None:
        sys.stdout.write("its card names no licence; add --licence\n")
