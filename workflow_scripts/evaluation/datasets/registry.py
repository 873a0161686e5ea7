"""Public downstream sets with fixed contents: one file each in ``sets/``.

A row says how a set is read, how its accuracy is usually averaged, how much it holds, and where it comes from. Config
checks, error messages, disk and cost estimates and the table in ``docs/runs.md`` read these rows. Images in class
folders need no row at all (kind ``folders``).
"""

from workflow_scripts.core.registry import discover
from workflow_scripts.evaluation.datasets.downstream_set import DownstreamSet

# The metrics are those of Kornblith et al. (2019, CVPR), which CLIP and the original evaluation follow.
SETS = discover("workflow_scripts.evaluation.datasets.sets", DownstreamSet)
TORCHVISION = {name: row for name, row in SETS.items() if row.kind == "torchvision"}


def known_set(kind: str, name: str, torchvision_name: str) -> DownstreamSet | None:
    """The row of a dataset of the config, or None for a set that is not public or has no fixed contents."""
    row = SETS.get(torchvision_name or name)
    return row if row is not None and row.kind == kind else None
