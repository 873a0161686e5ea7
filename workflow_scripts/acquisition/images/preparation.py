"""How fetched bytes are prepared before they are packed into a tar, and the name of the preparation."""

from dataclasses import asdict

from workflow_scripts.acquisition.images.images import Limits
from workflow_scripts.acquisition.settings import Download
from workflow_scripts.acquisition.shards.states import State
from workflow_scripts.core.files.jsonio import digest

# Raise it, and the download stage's format, when the same fetched bytes would give other stored bytes.
PREPARATION = 3
BY_SETTINGS = frozenset({State.PLACEHOLDER, State.TOO_LARGE, State.NOAI, State.BLOCKED_ADDRESS})
"""Failures that other settings may turn into images: they are requested again when the settings below differ."""


def limits_of(settings: Download) -> Limits:
    """Limits of accepted images and how images are stored."""
    return Limits(
        max_side=settings.max_side,
        jpeg_quality=settings.jpeg_quality,
        min_side=settings.min_side,
        max_aspect=settings.max_aspect,
        max_pixels=settings.max_pixels,
        animated=settings.animated,
        placeholders=frozenset(settings.placeholder_sha256),
    )


def preparation_of(limits: Limits) -> str:
    """Name of the preparation: its number and settings, hashed."""
    facts = asdict(limits)
    facts["placeholders"] = sorted(limits.placeholders)
    return digest({"number": PREPARATION, **facts})[:16]


def policy_of(settings: Download) -> str:
    """Name of the settings that failures of :data:`BY_SETTINGS` follow from."""
    names = ("max_bytes", "placeholder_names", "respect_robots_tag", "allow_addresses")
    return digest({name: getattr(settings, name) for name in names})[:16]
