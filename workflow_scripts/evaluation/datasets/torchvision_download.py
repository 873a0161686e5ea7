"""Fetch a downstream set with torchvision's own download code, atomically."""

from pathlib import Path

import torchvision.datasets

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.durable import move_folder_durable
from workflow_scripts.evaluation.datasets.torchvision_sets import OFFICIAL


def download(name: str, root: Path) -> None:
    """Make ``root`` with the files of a set of :data:`OFFICIAL`.

    torchvision writes into ``<root>.part``, which is renamed at the end; a stopped download is taken up there.

    Raises:
        PipelineError: there is no such set, or its files are unavailable.
    """
    if name not in OFFICIAL:
        raise PipelineError("unknown torchvision set", root, name, f"one of {', '.join(sorted(OFFICIAL))} is there")
    official = OFFICIAL[name]
    reader = getattr(torchvision.datasets, official.reader)
    part = root.with_name(f"{root.name}.part")
    part.mkdir(parents=True, exist_ok=True)
    try:
        for arguments in official.splits.values():
            reader(root=str(part), download=True, **arguments)
    except (OSError, RuntimeError, ValueError, ImportError) as error:
        advice = f"put its files into {root} by hand, in the layout of torchvision.datasets.{official.reader}"
        raise PipelineError("download failed", root, f"{name}: {error}", advice) from None
    move_folder_durable(part, root)
