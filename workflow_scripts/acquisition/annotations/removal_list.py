"""Removal lists as users write them: text files of image ids and URLs."""

from pathlib import Path

from workflow_scripts.acquisition.annotations.removal_tokens import tokens_of
from workflow_scripts.core.errors import PipelineError


def read_tokens(source: Path) -> list[str]:
    """Tokens of all entries of a list, or of all lists in a folder.

    Raises:
        PipelineError: a file is not text, or has a line that is neither an image id nor a URL.
    """
    found: set[str] = set()
    for path in sorted(path for path in source.rglob("*") if path.is_file()) if source.is_dir() else [source]:
        if path.name.startswith("."):
            continue
        try:
            found.update(tokens_of(path.read_text("utf-8").splitlines()))
        except ValueError as error:
            advice = "write one image id or URL per line; # starts a comment"
            raise PipelineError("invalid removal list", path, error, advice) from None
    return sorted(found)
