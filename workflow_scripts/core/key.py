"""The key of an artifact: what decides its bytes, and nothing else.

What of a job belongs to the key is declared here, once: stages, the check for stale artifacts, ``audit``, ``diff`` and
``why`` all read it here.
"""

from collections.abc import Mapping
from typing import Any

from workflow_scripts.core.files.jsonio import digest

SCHEMA = 1  # of manifests, run records and cache entries

# Stage -> settings that never change bytes.
OUTSIDE = {
    # How bytes are fetched, not which.
    "download": frozenset(
        {"keep", "hosts", "share_of_rate", "max_connections", "attempts", "backoff", "max_wait", "deadline"}
        | {"max_redirects", "seed", "user_agent", "contact", "allow_addresses", "connect_to", "serve_host"}
        | {"min_ok_share", "ok_window"}
    ),
    # How often a run can be resumed, and what is kept in memory: no bytes of a run on CPU depend on it.
    "pretrain": frozenset({"checkpoint_every", "cache_mb"}),
    # Where a thing lies; its content is in the key.
    "source": frozenset({"at", "mirrors", "sha256"}),
}
# The key holds what was fetched or found in place of code, inputs, unit and environment: nothing else is computed.
BY_CONTENT = frozenset({"download", "source"})
# The unit is a mere number: the same content under another number is the same artifact, whose manifest holds no unit.
NUMBERED = frozenset({"download", "recaption"})
# These compute on the device of the config; all others on the CPU.
ON_DEVICE = frozenset(
    {"recaption", "caption_quality", "embed_captions", "embed_images", "pair_table"}
    | {"pretrain", "features", "linear_probe", "saliency"}
)


def in_key(stage: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that can change the bytes of a stage's artifacts."""
    outside = OUTSIDE.get(stage, frozenset())
    return {name: value for name, value in settings.items() if name not in outside}


def wanted_device(stage: str, device: str) -> str:
    """The device that a stage is given (``auto``, ``cpu`` or ``cuda``) when the config says ``device``."""
    return device if stage in ON_DEVICE else "cpu"


def artifact_key(
    stage: str,
    unit: Mapping[str, str],
    code: str,
    settings: Mapping[str, Any],
    inputs: Mapping[str, list[str]],
    environment: Mapping[str, Any],
) -> str:
    """sha256 over stage, unit (all wildcard values), code digest, settings, input hashes and environment.

    Args:
        settings: as JSON values; those outside the key are left out (:data:`OUTSIDE`).
        inputs: input name -> manifest hashes, in order.
        environment: see :func:`workflow_scripts.core.runtime.environment.environment`.
    """
    parts = {"unit": dict(unit), "code": code, "settings": in_key(stage, settings), "inputs": dict(inputs)}
    return digest({"schema": SCHEMA, "stage": stage, "environment": dict(environment), **parts})
