"""Small JSON files beside the studies. Each contains a digest of itself, so that damage is detected."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.bounded_json import LARGEST, Unfit, parse_object, read_bytes
from workflow_scripts.core.files.durable import make_folders, sync_parents, write_durable
from workflow_scripts.core.files.jsonio import digest, pretty


def sealed(content: Mapping[str, Any]) -> dict[str, Any]:
    """``content`` with its digest in ``self``, so that a careless edit is detected; an existing digest is replaced."""
    own = unsealed(content)
    return {**own, "self": digest(own)}


def unsealed(content: Mapping[str, Any]) -> dict[str, Any]:
    """``content`` without its digest."""
    return {name: value for name, value in content.items() if name != "self"}


def is_intact(content: Mapping[str, Any]) -> bool:
    """Whether ``content`` matches the digest that it contains."""
    return "self" in content and content["self"] == digest(unsealed(content))


def write_note(path: Path, content: Mapping[str, Any]) -> None:
    """Write ``content`` and its digest durably; a file that already holds them is not rewritten."""
    data, same = pretty(sealed(content)), False
    with suppress(OSError):
        same = path.is_file() and path.read_bytes() == data
    if same:
        sync_parents([path])  # its writer may have been killed before its own sync
    else:
        make_folders(path.parent)
        write_durable(path, data)


def read_note(path: Path, advice: str, largest: int = LARGEST) -> dict[str, Any]:
    """The content, of at most ``largest`` bytes, that :func:`write_note` wrote; empty when there is no such file.

    Raises:
        PipelineError: the file is damaged or unreadable; ``advice`` says what to do.
    """
    try:
        data = read_bytes(path, largest)
        content = parse_object(data)
    except FileNotFoundError:
        if path.is_symlink():
            raise PipelineError("damaged note", path, "a broken symbolic link", advice) from None
        return {}
    except (Unfit, OSError) as error:
        raise PipelineError("damaged note", path, error, advice) from None
    if not is_intact(content) or data != pretty(content):
        raise PipelineError("damaged note", path, "its content does not match its digest", advice)
    return unsealed(content)
