"""Translates settings of earlier releases into the current form; run records keep the original."""

from collections.abc import Mapping
from typing import Any


def rewritten(stage: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Recorded settings of a stage in the current form."""
    found = dict(settings)
    if stage == "pretrain" and isinstance(found.get("evaluated"), list):
        # In earlier releases a training kept exactly the steps that were evaluated.
        kept = found.pop("evaluated")
        found["checkpoints"] = sorted({step for step in kept if isinstance(step, int)})
        if isinstance(found.get("probe"), dict):
            found["probe"] = {**found["probe"], "keep_best": "best" in kept}
    if stage == "recaption":
        found.pop("judge", None)  # had one possible value
    if stage == "summary":
        for name in ("level", "seed"):  # in earlier releases settings that no config could change
            found.pop(name, None)
    return found
