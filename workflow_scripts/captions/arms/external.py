"""Captions from the user's file, one chosen for each image."""

import re
from array import array
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from workflow_scripts.captions.arm_kind import ArmInputs, ArmKind, Rows
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.settings import Settings, quantity
from workflow_scripts.models.text_norms import is_blank

if TYPE_CHECKING:
    from workflow_scripts.captions.caption_file import Row

DERIVED = re.compile(r"[0-9a-f]{16}(-\d+)?")  # ids of images whose source has none


class External(Settings):
    """How many captions may be missing. Of several captions of an image, the first in the file is used."""

    max_missing_share: float = quantity(0.0, unit="share of images", ge=0, le=1, examples=[0.01])
    """Maximum share of images without a caption."""


def select(inputs: ArmInputs, settings: External) -> Rows:
    """The captions of the user's file.

    Raises:
        PipelineError: the file is missing or unreadable, or lacks too many of the images (:func:`chosen`).
    """
    from workflow_scripts.captions.caption_file import read_captions

    where = Path(str(inputs.file))
    return chosen(inputs, read_captions(where), settings, where)


def chosen(inputs: ArmInputs, rows: "Iterable[Row]", settings: External, where: Path) -> Rows:
    """Rows with a caption of the file for each image, matched by key; "" (origin none) for images without one.

    Adds to ``inputs.counts``: ``captions``, all that the file holds; by reason, those that no image gets; and
    ``images_not_in_file``. Memory holds one caption per image and eight bytes for each further one.

    Args:
        rows: keys and captions, as ``read_captions`` returns them.

    Raises:
        PipelineError: too many images have no caption, or no key of the file is that of an image.
    """
    import numpy as np
    import pyarrow as pa

    from workflow_scripts.captions.arm_rows import NONE, arm_table

    table, counts = inputs.table, inputs.counts
    row_of = {key: number for number, key in enumerate(table["key"].to_pylist())}
    best: list[str | None] = [None] * len(table)
    named, seen = bytearray(len(table)), array("q")
    other = None  # the first key that no image has
    for key, captions in rows:
        counts["captions"] += len(captions)
        image = row_of.get(key) if key else None
        if image is None:
            other = other or key
            counts["not_in_study" if key else "no_key"] += len(captions)
            continue
        named[image] = True
        for text in captions:
            if text is None or is_blank(text):
                counts["no_caption"] += 1
                continue
            seen.append(hash((image, text)))
            best[image] = text if best[image] is None else best[image]
    distinct = len(np.unique(np.frombuffer(seen, dtype=np.int64)))
    missing = best.count(None)
    counts["duplicate"] = len(seen) - distinct
    counts["not_chosen"] = distinct - (len(table) - missing)
    counts["images_not_in_file"] = len(table) - sum(named)
    if other is not None and row_of and not any(named) and settings.max_missing_share < 1:
        raise no_match(where, other, next(iter(row_of)))
    if missing > settings.max_missing_share * len(table):
        example = table["key"][best.index(None)].as_py()
        allowed = f"{settings.max_missing_share:.2%} are allowed"
        value = f"{missing} of {len(table)} images have none, such as {example}; {allowed}"
        raise PipelineError("missing captions", where, value, "complete the file or raise the arm's max_missing_share")
    no_scores = pa.nulls(len(table), pa.float32())
    origin = [NONE if text is None else "external" for text in best]
    return arm_table(table, [text or "" for text in best], origin, no_scores, no_scores)


def no_match(where: Path, key: str, image: str) -> PipelineError:
    """The error for a file whose keys, such as ``key``, are not those of the study's images, such as ``image``.

    An id that looks like a derived one is not shown: no file of the user has it.
    """
    is_derived, path = DERIVED.fullmatch(image) is not None, getattr(key, "path", None)
    if is_derived and path:
        value = f"no path is that of an image: the file has {path}"
        advice = "write the paths in its column image as they are in the source folder"
        return PipelineError("captions of other images", where, value, advice)
    ids = "the source has no ids" if is_derived else f"those of the source are like {image}"
    value = f"no key is the id of an image: the file has {path or key}, {ids}"
    wanted = "image with paths as they are in the source folder" if is_derived else "key with those ids"
    return PipelineError("captions of other images", where, value, f"give this file a column {wanted}")


ARM_KIND = ArmKind(
    name="external",
    summary="from a file",
    settings=External,
    from_file=True,
    select=select,
    columns=("subreddit", "year"),
)
