"""Records with a digest of themselves in ``self``, so that a careless edit is detected."""

from collections.abc import Mapping
from typing import Any

from workflow_scripts.core.files.jsonio import digest


def sealed(content: Mapping[str, Any]) -> dict[str, Any]:
    """``content`` with its digest; an existing digest is replaced."""
    own = unsealed(content)
    return {**own, "self": digest(own)}


def unsealed(content: Mapping[str, Any]) -> dict[str, Any]:
    """``content`` without its digest."""
    return {name: value for name, value in content.items() if name != "self"}


def is_intact(content: Mapping[str, Any]) -> bool:
    """Whether ``content`` matches the digest that it contains."""
    return "self" in content and content["self"] == digest(unsealed(content))
