"""Settings as earlier releases wrote them, translated into today's; a run record keeps the original."""

from collections.abc import Mapping
from typing import Any


def rewritten(stage: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Recorded settings of a stage as they are written today; unchanged if they are already."""
    found = dict(settings)
    if stage == "pretrain" and isinstance(found.get("evaluated"), list):
        # A training kept the steps that were evaluated then, and no others.
        kept = found.pop("evaluated")
        found["checkpoints"] = sorted({step for step in kept if isinstance(step, int)})
        if isinstance(found.get("probe"), dict):
            found["probe"] = {**found["probe"], "keep_best": "best" in kept}
    return found
