"""``faithful-pairs browse``: a local page over a study's images, captions, scores and pairs."""

import sys
from pathlib import Path
from typing import Annotated

import typer


def command(
    study: Annotated[Path, typer.Argument(metavar="STUDY", help="the study's folder, such as results/demo")],
    port: Annotated[
        int, typer.Option(min=0, max=65_535, metavar="PORT", help="port of the page; 0: any that is free")
    ] = 8765,
) -> None:
    """Browse the images, captions, scores and neighbours of a study.

    The page is served on this machine until Ctrl-C, at an address that the command prints. Nothing can be changed on
    it. It shows each image with the captions of all arms, their scores by every judge, and its neighbours in every pair
    table. Images can be searched by words of their captions, filtered by subreddit and score, and ordered by a score or
    by how much two scores disagree.

    The first call builds an index in the results folder, which takes about half a minute for a million images; it is
    built again after the study has changed. Only programs on this machine can reach the page. From another machine,
    forward the port: ssh -L 8765:localhost:8765 HOST.

    \b
    Examples:
      faithful-pairs browse results/redcaps2020

    \b
    Exit status:
      0  ended by Ctrl-C
      1  the study has no captions yet, or the port is in use
      2  wrong usage
    """
    import logging

    from workflow_scripts.browse.build import index_of
    from workflow_scripts.browse.index import Index
    from workflow_scripts.browse.server import serve
    from workflow_scripts.browse.sources import sources_of

    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(message)s")
    sources = sources_of(study.absolute())
    index = Index(index_of(sources))
    for label, reason in index.about["left_out"].items():
        sys.stdout.write(f"left out: {label} ({reason})\n")
    serve(sources.study, index, sources.images, port, _announce)


def _announce(address: str) -> None:
    sys.stdout.write(f"{address}\nCtrl-C ends it\n")
    sys.stdout.flush()
