"""Small JSON files beside the studies. Each states a digest of itself, so that damage shows."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.bounded_json import Unfit, parse_object, read_bytes
from workflow_scripts.core.files.durable import make_folders, sync_parents, write_durable
from workflow_scripts.core.files.jsonio import pretty
from workflow_scripts.core.files.seal import is_intact, sealed, unsealed


def write_note(path: Path, content: Mapping[str, Any]) -> None:
    """Write ``content`` and its digest, on disk when this returns; a file that holds just that stays as it is."""
    data = pretty(sealed(content))
    try:
        same = path.is_file() and path.read_bytes() == data
    except OSError:
        same = False
    if same:
        sync_parents([path])  # whoever wrote it may have been killed before this
    else:
        make_folders(path.parent)
        write_durable(path, data)


def read_note(path: Path, advice: str) -> dict[str, Any]:
    """What :func:`write_note` wrote; empty when there is no such file.

    Raises:
        PipelineError: the file is damaged or unreadable; ``advice`` says what to do.
    """
    try:
        data = read_bytes(path)
        content = parse_object(data)
    except FileNotFoundError:
        if path.is_symlink():
            raise PipelineError("damaged note", path, "a broken symbolic link", advice) from None
        return {}
    except (Unfit, OSError) as error:
        raise PipelineError("damaged note", path, error, advice) from None
    if "self" not in content:
        raise PipelineError("damaged note", path, "it states no digest of itself, like notes from version 0.1", advice)
    if not is_intact(content) or data != pretty(content):
        raise PipelineError("damaged note", path, "it does not have the digest that it states of itself", advice)
    return unsealed(content)
