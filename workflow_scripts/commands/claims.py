"""``faithful-pairs claims``: run the studies of the eight claims and write their page."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from workflow_scripts.core.errors.text import printed


def command(
    claim: Annotated[list[str] | None, typer.Argument(metavar="[CLAIM]...", help="such as C3; default: all")] = None,
    scale: Annotated[
        Literal["demo", "photos", "full"],
        typer.Option(help="the demo's world, photos with human captions, or the full study with GPUs"),
    ] = "demo",
    photos: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="your photos, with --scale photos (docs/your-own-data.md)"),
    ] = None,
    profile: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER", help="Snakemake profile; default: profiles/demo, with --scale full profiles/local"
        ),
    ] = None,
    markdown: Annotated[
        Path | None, typer.Option(metavar="FILE", help="also write the page as Markdown, such as docs/evidence.md")
    ] = None,
) -> None:
    """Run the studies of eight claims and write their page.

    They run cheapest first. Each claim is a question with one or more studies in profiles/claims/SCALE/. What studies
    have in common is computed once. The same command continues after an interruption, and does nothing if all is done.
    The page, results/claims/index.html, has every claim that has been run, at each scale.

    \b
    Examples:
      faithful-pairs claims C1 C5
      faithful-pairs claims
      faithful-pairs claims --scale photos --photos ../photos
      faithful-pairs claims C3 --scale full --profile profiles/slurm

    \b
    Exit status:
      0  the page is written
      1  a study failed, and the page has the others; or there is no such claim, study or folder
      2  wrong usage
    """
    import webbrowser

    from workflow_scripts.claims.catalogue import CLAIMS
    from workflow_scripts.claims.page import html
    from workflow_scripts.claims.page import markdown as as_markdown
    from workflow_scripts.claims.run import RESULTS, finished, planned, run
    from workflow_scripts.claims.sentences import sentence
    from workflow_scripts.core.files.durable import make_folders, write_durable

    if (scale == "photos") != (photos is not None):
        usage = "is required with --scale photos, and belongs to no other scale"
        raise typer.BadParameter(usage, param_hint="--photos")
    failed, studies, page = [], planned(claim or (), scale, photos), RESULTS / "claims/index.html"
    for file in filter(None, (page, markdown)):  # before hours of computing
        make_folders(file.parent)
    left_out = [] if claim else [one.name for one in CLAIMS if one.name not in {study.claim for study in studies}]
    reason = f"is left out: {scale} lacks what it needs (docs/your-own-data.md)"
    sys.stdout.write(printed(f"{name} {reason}" for name in left_out))
    finished()  # an unreadable study is an error now, not after hours
    for study in studies:
        sys.stdout.write(printed([f"{study.claim}: {study.folder}"]))
        sys.stdout.flush()
        if not run(study, profile or ("profiles/local" if scale == "full" else "profiles/demo")):
            failed.append(study)
    found = finished(without={study.folder for study in failed})
    write_durable(page, html(found))
    if markdown is not None:
        write_durable(markdown, as_markdown(found))
    said = {
        f"{one.name}. {one.question}": sentence(one, scale, found[one.name, scale])
        for one in CLAIMS
        if (one.name, scale) in found
    }
    told = [line for question, answer in said.items() for line in (question, answer, "")]
    sys.stdout.write(printed([*told, f"Page: {page}"]))
    if sys.stdout.isatty():
        webbrowser.open(page.absolute().as_uri())
    if failed:
        names = ", ".join(study.folder.name for study in failed)
        sys.stderr.write(printed([f"error: these studies failed: {names}; repeat the command to continue them"]))
        raise typer.Exit(1)
