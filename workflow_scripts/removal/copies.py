"""Removes copies of shards and packs on nodes, once their originals are gone."""

from pathlib import Path

from workflow_scripts.core.stage_in.stage_in import places
from workflow_scripts.core.stage_in.store import LocalError, LocalStore


def remove_copies(results: Path) -> tuple[int, list[str]]:
    """Remove the copies on this node whose original was replaced or removed.

    Returns:
        Number of copies removed; and the folders that may still hold such copies, since they are on another node, in
        use or unreadable, or since the note that names them is damaged.
    """
    noted, damaged = places(results)
    removed, left = 0, [f"an unknown folder: {path} is damaged" for path in damaged]
    for place in noted:
        if not place.here:
            left.append(f"{place.folder} on node {place.host}")
        elif place.gone:
            place.record.unlink(missing_ok=True)
        else:
            try:
                gone, used = LocalStore(place.folder, 0).open()
            except LocalError as error:
                left.append(f"{place.folder}: {error}")
                continue
            removed += gone
            left += [f"{place.folder}: {used} in use by a job"] if used else []
    return removed, left
