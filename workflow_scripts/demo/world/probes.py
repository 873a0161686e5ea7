"""Probe tasks and object masks of the demo world, on pictures that are used nowhere else."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from workflow_scripts.demo.world.posts import encode
from workflow_scripts.demo.world.settings import World
from workflow_scripts.demo.world.vocabulary import Spec
from workflow_scripts.demo.world.world import scene_of


def probe_pictures(seed: int, train: int, test: int, size: int, world: World) -> list[tuple[str, str, Spec, bytes]]:
    """Split, name, what it shows and PNG bytes of every probe picture; all tasks share them."""
    found = []
    for split, count in (("train", train), ("test", test)):
        for index in range(count):
            spec, picture, _ = scene_of(seed, f"probe_{split}", index, size, world)
            found.append((split, f"{index:05d}.png", spec, encode(picture, "png")))
    return found


def probe_members(pictures: list[tuple[str, str, Spec, bytes]], task: str) -> dict[str, bytes]:
    """Members of one task's tar: `train|test/<class>/<name>.png`."""
    return {f"{split}/{getattr(spec, task)}/{name}": data for split, name, spec, data in pictures}


def masked_pictures(seed: int, count: int, size: int, world: World) -> Iterator[tuple[str, str, bytes, bytes]]:
    """Id, concept, PNG of the picture and PNG of its mask (0 background, 1 object, 255 border)."""
    for index in range(count):
        spec, picture, mask = scene_of(seed, "masks", index, size, world)
        yield f"world_{index:05d}", spec.concept, encode(picture, "png"), encode(np.asarray(mask), "png")


def label_table(labels: dict[str, str]) -> pa.Table:
    """Table image_id, file, mask, label (string) of masked pictures, given as id -> concept."""
    return pa.table(
        {
            "image_id": list(labels),
            "file": [f"images/{one}.png" for one in labels],
            "mask": [f"masks/{one}.png" for one in labels],
            "label": list(labels.values()),
        }
    )
