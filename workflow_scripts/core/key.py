"""The key of an artifact: what decides its bytes, and nothing else."""

from collections.abc import Mapping
from typing import Any

from workflow_scripts.core.jsonio import digest

SCHEMA = 1  # of manifests, run records and cache entries


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
        settings: as JSON values, without those that change no bytes.
        inputs: input name -> manifest hashes, in order.
        environment: see :func:`workflow_scripts.core.environment.environment`.
    """
    parts = {"unit": dict(unit), "code": code, "settings": dict(settings), "inputs": dict(inputs)}
    return digest({"schema": SCHEMA, "stage": stage, "environment": dict(environment), **parts})
