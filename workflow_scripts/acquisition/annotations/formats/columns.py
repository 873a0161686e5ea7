"""Which columns of a table hold image, caption, id and group."""

from collections.abc import Collection, Sequence

from pydantic import Field

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.names import IMAGE_COLUMNS
from workflow_scripts.core.settings import Settings


class Columns(Settings):
    """Columns of a table, or fields of JSON rows. null: the first of the usual names that exists; empty text: none."""

    image: str | None = Field(default=None, examples=["file_name"])
    """Path of the image, relative to images."""
    url: str | None = Field(default=None, examples=["image_url"])
    """URL of the image, for rows without a file."""
    caption: str | None = Field(default=None, min_length=1, examples=["text"])
    """Caption of the image."""
    id: str | None = Field(default=None, examples=["image_id"])
    """Id of the image: letters, digits, - and _; derived from path or URL if there is none."""
    group: str | None = Field(default=None, examples=["category"])
    """Group of the image, used in place of the subreddit."""


USUAL: dict[str, tuple[str, ...]] = {
    "image": IMAGE_COLUMNS,
    "url": ("url", "image_url", "coco_url", "flickr_url"),
    "caption": ("caption", "captions", "text", "title", "sentences"),
    "id": ("id", "image_id", "key"),
    "group": ("group", "subreddit"),
    "created_utc": ("created_utc",),
}
"""Names that identify a field if the config names none, in order of preference."""


def fields_of(names: Collection[str], columns: Columns) -> dict[str, str]:
    """Field (a key of :data:`USUAL`) -> its name among ``names``: the config's choice, or the first usual name."""
    chosen = columns.model_dump()
    found = {}
    for field, usual in USUAL.items():
        wanted = usual if chosen.get(field) is None else (chosen[field],)
        name = next((one for one in wanted if one and one in names), None)
        if name is not None:
            found[field] = name
    return found


def check_fields(names: Sequence[str], columns: Columns, where: object) -> dict[str, str]:
    """:func:`fields_of` for a table whose columns are known.

    Raises:
        PipelineError: no caption, neither image nor url, or a column that is used is missing or repeated.
    """
    found = fields_of(names, columns)
    there = f"the columns are {', '.join(names[:20]) or 'none'}"
    separator = next((mark for mark in ";|" if len(names) == 1 and mark in names[0]), None)
    separated = separator and f"separate the columns with commas or tabs, not with {separator}"
    for field, name in columns.model_dump().items():
        if name and field not in found:
            advice = separated or f"correct annotations.columns.{field}"
            raise PipelineError(f"no column {name}", str(where), there, advice)
    for needed in (("caption",), ("image", "url")):
        if not any(field in found for field in needed):
            usual = " or ".join(USUAL[field][0] for field in needed)
            advice = separated or f"name the column in annotations.columns.{needed[0]}"
            raise PipelineError(f"no column {usual}", str(where), there, advice)
    repeated = next((name for name in found.values() if names.count(name) > 1), None)
    if repeated is not None:
        raise PipelineError(f"several columns {repeated}", str(where), there, "rename all but one of them")
    return found
