"""JSON with one canonical text per value, and its digest."""

import hashlib
import json
from pathlib import Path
from typing import Any

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.bounded_json import LARGEST, Unfit, read_value


def canonical(value: Any) -> str:
    """``value`` as JSON with sorted keys and no white space; equal values give equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(value: Any) -> str:
    """sha256 of :func:`canonical`, in hex."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def pretty(value: Any) -> bytes:
    """``value`` as JSON for people, sorted keys, newline at the end."""
    return (json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def read_json(path: Path, advice: str, largest: int = LARGEST) -> Any:
    """The content of a JSON file of at most ``largest`` bytes.

    Raises:
        PipelineError: the file is missing, unreadable, larger, or not JSON; ``advice`` says what to do.
    """
    try:
        return read_value(path, largest)
    except FileNotFoundError:
        raise PipelineError("missing file", path, "no such file", advice) from None
    except (OSError, Unfit) as error:
        raise PipelineError("unreadable JSON", path, error, advice) from None
