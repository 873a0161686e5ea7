"""Captions from the user's file, one chosen for each image."""

from array import array
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, model_validator

from workflow_scripts.captions.arm_kind import ArmInputs, ArmKind, Seeded
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.models.text_norms import is_blank
from workflow_scripts.stats.seeds import derive

if TYPE_CHECKING:
    import pyarrow as pa

    from workflow_scripts.captions.caption_file import Row


class External(Seeded):
    """Which of an image's captions is used, and how many may be missing."""

    choose: Literal["first", "longest", "random"] = Field(
        "first",
        description="which of several captions of an image is used. first: in the order of the file; longest: the one "
        "with most characters, the first of equally long ones; random: drawn by seed and key, whatever their order",
        examples=["longest"],
    )
    max_missing_share: float = Field(
        0.0,
        ge=0,
        le=1,
        description="maximum share of images without a caption",
        examples=[0.01],
        json_schema_extra={"unit": "share of images"},
    )

    @model_validator(mode="after")
    def _seed_is_used(self) -> Self:
        if self.choose != "random" and self.seed != type(self).model_fields["seed"].default:
            raise ValueError("seed has no effect unless choose is random; remove it")
        return self


def select(inputs: ArmInputs, settings: External) -> "pa.Table":
    """The captions of the user's file.

    Raises:
        PipelineError: the file is missing or unreadable, or lacks too many of the images (:func:`chosen`).
    """
    from workflow_scripts.captions.caption_file import read_captions

    where = Path(str(inputs.file))
    return chosen(inputs, read_captions(where), settings, where)


def chosen(inputs: ArmInputs, rows: "Iterable[Row]", settings: External, where: Path) -> "pa.Table":
    """Rows with a caption of the file for each image, matched by key; "" (origin none) for images without one.

    Adds to ``inputs.counts``: ``captions``, all that the file holds; by reason, those that no image gets; and
    ``images_not_in_file``. Memory holds one caption per image and eight bytes for each further one.

    Args:
        rows: keys and captions, as ``read_captions`` gives them.

    Raises:
        PipelineError: too many images have no caption.
    """
    import numpy as np
    import pyarrow as pa

    from workflow_scripts.captions.arm_rows import NONE, arm_table

    table, counts = inputs.table, inputs.counts
    place = {key: number for number, key in enumerate(table["key"].to_pylist())}
    best: list[str | None] = [None] * len(table)
    named, seen = bytearray(len(table)), array("q")
    for key, captions in rows:
        counts["captions"] += len(captions)
        image = place.get(key) if key else None
        if image is None:
            counts["not_in_study" if key else "no_key"] += len(captions)
            continue
        named[image] = True
        for text in captions:
            if text is None or is_blank(text):
                counts["no_caption"] += 1
                continue
            seen.append(hash((image, text)))
            if best[image] is None or _better(settings, str(key), text, str(best[image])):
                best[image] = text
    different = len(np.unique(np.frombuffer(seen, dtype=np.int64)))
    missing = best.count(None)
    counts["duplicate"] = len(seen) - different
    counts["not_chosen"] = different - (len(table) - missing)
    counts["images_not_in_file"] = len(table) - sum(named)
    if missing > settings.max_missing_share * len(table):
        example = table["key"][best.index(None)].as_py()
        allowed = f"{settings.max_missing_share:.2%} are allowed"
        value = f"{missing} of {len(table)} images have none, such as {example}; {allowed}"
        raise PipelineError("missing captions", where, value, "complete the file or raise the arm's max_missing_share")
    none = pa.nulls(len(table), pa.float32())
    origin = [NONE if text is None else "external" for text in best]
    return arm_table(table, [text or "" for text in best], origin, none, none)


def _better(settings: External, key: str, text: str, other: str) -> bool:
    """Whether a later caption of an image takes the place of an earlier one."""
    if settings.choose == "longest":
        return len(text) > len(other)
    return settings.choose == "random" and _draw(settings.seed, key, text) > _draw(settings.seed, key, other)


def _draw(seed: int, key: str, text: str) -> int:
    """A number by which a caption is drawn; equal captions have the same."""
    return derive(seed, "external", key, text)


ARM_KIND = ArmKind(
    name="external",
    summary="from a file",
    settings=External,
    from_file=True,
    arms=(),
    scored=False,
    select=select,
    columns=("subreddit", "year"),
)
