"""Example maps: the same images for every run, and each run's best, median and worst image with the class swap."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from workflow_scripts.core.artifact import Artifact
from workflow_scripts.core.declaration.result_names import SHARED
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.reporting.colours import arm_class
from workflow_scripts.reporting.provenance import Number
from workflow_scripts.reporting.sections.examples import shared_examples
from workflow_scripts.reporting.study import Study
from workflow_scripts.reporting.text import caption_text, percent
from workflow_scripts.reporting.thumbnails import masked, overlay, thumbnail

Row = dict[str, Any]
OVERLAY, SMALL = 112, 80  # longer side of a map in the grid, and beside others of its image, in pixels
ARRAYS = ("datasets", "keys", "roles", "classes", "swapped", "scores", "images", "masks", "maps", "maps_swapped")


class Example(NamedTuple):
    """An image with its mask and the maps of its own class and of the runner-up, as a run's file stores them."""

    dataset: str
    key: str
    role: str
    own: str
    other: str
    score: float
    image: np.ndarray
    mask: np.ndarray
    map: np.ndarray
    map_swapped: np.ndarray


def overlays(study: Study, shown: Mapping[str, Sequence[Artifact]]) -> Row | None:
    """The maps of the images that every run stores, by run; None if there are none."""
    stored = {
        run: {(one.dataset, one.key): one for one in _examples(found) if one.role == SHARED}
        for run, found in shown.items()
    }
    shared = shared_examples(list(stored.values()), study.settings.saliency_images)
    if not shared:
        return None
    columns = []
    for run, examples in stored.items():
        maps = [overlay(examples[one].image, examples[one].map, OVERLAY) for one in shared]
        sources = [study.source(artifact, ".examples.npz") for artifact in shown[run]]
        columns.append({"run": run, "css": arm_class(study.method_and_pairs(run)[1]), "maps": maps, "sources": sources})
    first = next(iter(stored.values()))
    return {
        "names": [f"{dataset}: {key}" for dataset, key in shared],
        "images": [thumbnail(Image.fromarray(first[one].image), OVERLAY) for one in shared],
        "masks": [masked(first[one].image, first[one].mask, OVERLAY) for one in shared],
        "columns": columns,
    }


def marked_examples(study: Study, shown: Mapping[str, Sequence[Artifact]]) -> list[Row]:
    """For the first run of each arm and set: its best, median and worst image with both maps."""
    lines, seen = [], set()
    for run, artifacts in shown.items():
        arm, css = run.rpartition("-")[0], arm_class(study.method_and_pairs(run)[1])
        for artifact in artifacts:
            if (arm, artifact.unit["dataset"]) in seen:
                continue
            seen.add((arm, artifact.unit["dataset"]))
            source = study.source(artifact, ".examples.npz")
            cells = [
                {
                    "role": one.role,
                    "score": Number(percent(one.score), source=source, rows=f"{one.dataset}, {one.key}, {one.role}"),
                    "own": caption_text(one.own),
                    "other": caption_text(one.other),
                    "mask": masked(one.image, one.mask, SMALL),
                    "map": overlay(one.image, one.map, SMALL),
                    "map_swapped": overlay(one.image, one.map_swapped, SMALL),
                }
                for one in _examples([artifact])
                if one.role != SHARED
            ]
            lines.append({"run": run, "css": css, "dataset": artifact.unit["dataset"], "cells": cells})
    return lines


def _examples(artifacts: Sequence[Artifact]) -> list[Example]:
    """All examples of one checkpoint.

    Raises:
        PipelineError: a file has another form.
    """
    found = []
    for artifact in artifacts:
        path = artifact.path(".examples.npz")
        with np.load(path, allow_pickle=False) as stored:
            missing = set(ARRAYS) - set(stored.files)
            if missing:
                raise PipelineError("missing arrays", path, sorted(missing), "recompute the saliency artifact")
            text = [stored[name].tolist() for name in ARRAYS[:6]]
            found += [Example(*one) for one in zip(*text, *(stored[name] for name in ARRAYS[6:]), strict=True)]
    return found
