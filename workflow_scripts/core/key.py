"""The key of an artifact, what decides its bytes and nothing else; and the hash of a whole study.

Each stage declares which of its settings belong to the key, and whether its unit does
(:class:`workflow_scripts.core.runtime.stage.Stage`).
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from workflow_scripts.core.files.jsonio import digest

SCHEMA = 1  # version of manifests, run records and cache entries
AROUND = ("report", "crate")  # made from the study, not part of it


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
        unit: all wildcard values, as :meth:`~workflow_scripts.core.runtime.stage.Stage.manifest_unit` returns them.
        settings: those that can change bytes, as JSON values
            (:meth:`~workflow_scripts.core.runtime.stage.Stage.in_key`).
        inputs: input name -> manifest hashes, in order.
        environment: see :func:`workflow_scripts.core.runtime.environment.environment`.
    """
    parts = {"unit": dict(unit), "code": code, "settings": dict(settings), "inputs": dict(inputs)}
    return digest({"schema": SCHEMA, "stage": stage, "environment": dict(environment), **parts})


def root_hash(manifests: Iterable[tuple[str, str]]) -> str:
    """One hash for a whole study, so that two people can compare studies by a single line.

    It is the sha256 over lines ``<manifest hash>  <stage>/<name>``, sorted by label, without report and crate.

    Args:
        manifests: label and manifest hash of every artifact of the study; a repeated pair counts once.
    """
    counted = sorted({(label, sha256) for label, sha256 in manifests if label.split("/")[0] not in AROUND})
    return hashlib.sha256("".join(f"{sha256}  {label}\n" for label, sha256 in counted).encode()).hexdigest()
