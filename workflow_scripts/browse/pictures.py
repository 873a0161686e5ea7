"""Images of the index, read from the shards and re-encoded."""

from typing import Any

import pyarrow as pa

from workflow_scripts.core.artifact import Artifact
from workflow_scripts.core.shards import hash_column, images_in_shards
from workflow_scripts.reporting.thumbnails import reduced


def picture(images: Artifact, place: dict[str, Any], side: int) -> bytes:
    """JPEG of an image, whose longer side has at most ``side`` pixels.

    The stored bytes are from the internet. What is returned is made from the decoded pixels, so that a browser never
    sees them.

    Args:
        images: the ``image_index``.
        place: ``shard``, ``offset``, ``size`` and ``sha256``, as in the index.

    Raises:
        PipelineError: the shard is missing, damaged, or not the one that was indexed.
    """
    row = pa.Table.from_pylist([{name: place[name] for name in ("shard", "offset", "size", "sha256")}])
    return reduced(images_in_shards(images, row, hash_column(row["sha256"])).image(0), side)
