"""Object masks of a downstream set, by row."""

from workflow_scripts.core.artifact import Artifact
from workflow_scripts.core.shards import TarImages, dataset_images

NONE = -1


def dataset_masks(dataset: Artifact) -> TarImages:
    """The encoded masks of an ``eval_dataset`` artifact in the row order of its table; ``size`` is -1 where none is."""
    return dataset_images(dataset, "mask_")
