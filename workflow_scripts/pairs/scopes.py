"""Scopes of pairs, one row each: among which images the neighbours of an image are searched."""

from dataclasses import dataclass

from workflow_scripts.core.registry import by_name


@dataclass(frozen=True, kw_only=True)
class Scope:
    """A division of the images.

    Attributes:
        name: in configs.
        summary: one phrase.
        columns: columns of the images' keys (``subreddit``, ``year``) that neighbours share.
    """

    name: str
    summary: str
    columns: tuple[str, ...]


SCOPES = by_name(
    [
        Scope(name="global", summary="all images", columns=()),
        Scope(name="subreddit", summary="images of the same subreddit", columns=("subreddit",)),
        Scope(name="year", summary="images of the same year", columns=("year",)),
        Scope(
            name="subreddit_year",
            summary="images of the same subreddit and year",
            columns=("subreddit", "year"),
        ),
    ]
)
