"""The key of an artifact: what decides its bytes, and nothing else.

Each stage declares which of its settings belong to the key, and whether its unit does
(:class:`workflow_scripts.core.declaration.stage.Stage`).
"""

from collections.abc import Mapping
from typing import Any

from workflow_scripts.core.files.jsonio import digest

SCHEMA = 1  # version of manifests, run records and cache entries


def artifact_key(
    stage: str,
    unit: Mapping[str, str],
    code: str,
    settings: Mapping[str, Any],
    inputs: Mapping[str, list[str]],
    environment: Mapping[str, Any],
) -> str:
    """sha256 over stage, unit, code digest, settings, input hashes and environment.

    Args:
        unit: all wildcard values, as :meth:`~workflow_scripts.core.declaration.stage.Stage.manifest_unit` gives them.
        settings: those that can change bytes, as JSON values
            (:meth:`~workflow_scripts.core.declaration.stage.Stage.in_key`).
        inputs: input name -> manifest hashes, in order.
        environment: see :func:`workflow_scripts.core.runtime.environment.environment`.
    """
    parts = {"unit": dict(unit), "code": code, "settings": dict(settings), "inputs": dict(inputs)}
    return digest({"schema": SCHEMA, "stage": stage, "environment": dict(environment), **parts})
