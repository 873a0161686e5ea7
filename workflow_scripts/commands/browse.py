"""``faithful-pairs browse``: a local page over a study's images, captions, scores and pairs."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from workflow_scripts.core.errors.text import printed

if TYPE_CHECKING:
    from workflow_scripts.browse.build import Sources
    from workflow_scripts.browse.index import Index

VIEW, IMAGES = "order=random", 48  # of an exported page


def command(
    study: Annotated[Path, typer.Argument(metavar="STUDY", help="the study's folder, such as results/demo")],
    port: Annotated[
        int, typer.Option(min=0, max=65_535, metavar="PORT", help="port of the page; 0: any free port")
    ] = 8765,
    export: Annotated[
        Path | None, typer.Option(metavar="FILE", help="write images to one HTML file instead, and exit")
    ] = None,
    view: Annotated[
        str | None,
        typer.Option(metavar="VIEW", help=f"export: which images, as in a page's address after ?; by default {VIEW}"),
    ] = None,
    images: Annotated[
        int | None, typer.Option(min=1, max=2000, metavar="N", help=f"export: number of images; by default {IMAGES}")
    ] = None,
) -> None:
    """Browse the images, captions, scores and neighbours of a study.

    The page is served on this machine until Ctrl-C, at an address that the command prints. Nothing can be changed on
    it. It shows each image with the captions of all arms, their scores by every judge, and its neighbours in every pair
    table. Images can be searched by words of their captions, filtered by subreddit and score, and ordered by a score or
    by how much two scores disagree.

    The first call builds an index in the results folder; it is built again after the study has changed. Only programs
    on this machine can reach the page. From another machine, forward the port: ssh -L 8765:localhost:8765 HOST.

    With --export, the images of a view are written to one file, for a paper's supplement. Opening it needs no network.
    A record in the study's folder copies lists its images, so that faithful-pairs remove can name the file. An existing
    file is not overwritten.

    \b
    Examples:
      faithful-pairs browse results/redcaps2020
      faithful-pairs browse results/redcaps2020 --export sample.html
      faithful-pairs browse results/redcaps2020 --export dogs.html --view 'q=dog&subreddit=aww' --images 100

    \b
    Exit status:
      0  ended by Ctrl-C, or the file was written
      1  the study has no captions yet, the port is in use, the view is invalid, or the file exists
      2  wrong usage
    """
    from workflow_scripts.browse.build import index_of, sources_of
    from workflow_scripts.browse.index import Index
    from workflow_scripts.browse.server import serve
    from workflow_scripts.core.runtime.job_log import log_to_stderr

    if export is None and (view is not None or images is not None):
        raise typer.BadParameter("these are options of --export", param_hint="--view, --images")
    log_to_stderr()
    sources = sources_of(study.absolute())
    index = Index(index_of(sources))
    left_out = index.about["left_out"]
    sys.stdout.write(printed(f"left out: {label} ({reason})" for label, reason in left_out.items()))
    if export is None:
        serve(sources.study, index, sources.images, port, _announce)
    else:
        sys.stdout.write(write_sample(sources, index, export, VIEW if view is None else view, images or IMAGES))


def _announce(address: str) -> None:
    sys.stdout.write(f"{address}\nCtrl-C ends it\n")
    sys.stdout.flush()


def write_sample(sources: "Sources", index: "Index", out: Path, view: str, count: int) -> str:
    """Write a page with the first images of a view, and record which it shows; returns what is printed.

    Raises:
        PipelineError: the file exists, the view is invalid or has no image, or an image can't be read.
    """
    from urllib.parse import parse_qsl

    from workflow_scripts.browse.pages import sample
    from workflow_scripts.browse.view import view_of
    from workflow_scripts.core.errors import PipelineError

    if out.exists():
        raise PipelineError("file exists", out, "it may be in use", "give another file with --export")
    body, keys, shown = sample(index, sources.images, view_of(dict(parse_qsl(view, keep_blank_values=True))), count)
    if not keys:
        raise PipelineError("no image", out, view, "give a view that has images")
    _write(sources.study, out.absolute(), body, keys)
    others = len(set(keys)) - shown
    return printed([f"{out}: {shown} images and {others} more as neighbours; {len(body) / 1e6:.1f} MB"])


def _write(study: Path, out: Path, body: bytes, keys: list[str]) -> None:
    """Write the page and its record, so that a crash leaves no page without its record."""
    from workflow_scripts.core.files.copies import record_copy
    from workflow_scripts.core.files.durable import make_folders, write_durable

    record_copy(study, out, keys)
    make_folders(out.parent)
    write_durable(out, body)
