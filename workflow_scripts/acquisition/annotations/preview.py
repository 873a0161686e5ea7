"""A quick check of an annotation source before anything is computed from it."""

import zipfile
from collections import Counter
from collections.abc import Collection
from itertools import islice
from pathlib import Path
from typing import Any

from workflow_scripts.acquisition.annotations.counting import Filter
from workflow_scripts.acquisition.annotations.formats.columns import Columns
from workflow_scripts.acquisition.annotations.formats.files import SourceFiles
from workflow_scripts.acquisition.annotations.formats.layout import Choose, Format, layout_of
from workflow_scripts.acquisition.annotations.own import ADVICE, judged, samples_of
from workflow_scripts.acquisition.annotations.rows import Apart
from workflow_scripts.core.errors import PipelineError

ROWS, MOST_ROWS = 200, 10_000
LARGEST_COCO = 16 << 20  # bytes: a COCO file is read three times, which takes a second from here on
_FOLLOWS_ANOTHER = {Apart.REPEATED_ID, Apart.FURTHER_CAPTION}  # says nothing about the source: another row decides


def look(
    source: Path,
    format: Format | None,
    table: str | None,
    images: str,
    columns: Columns,
    years: Collection[int] | None,
) -> tuple[PipelineError, bool] | None:
    """What is wrong with an existing source, according to its first :data:`ROWS` rows, and whether it is certain.

    Rows are read from disk, without hashes. If none of them can be used, that is certain only if there are no others.
    """
    try:
        layout = layout_of(source, format, table)
        if layout.format == "redcaps":
            if zipfile.is_zipfile(source):
                return None
            advice = "give the RedCaps annotation zip"
            return PipelineError("wrong source annotations", source, "not a zip archive", advice), True
        if layout.format == "coco" and layout.table is not None and layout.table.stat().st_size > LARGEST_COCO:
            return None
        samples = list(islice(samples_of(layout, columns, SourceFiles(source, None, images)), ROWS + 1))
    except PipelineError as error:
        return error, True
    where = layout.table or source
    if not samples:
        return PipelineError("no rows in source annotations", where, "empty", "add rows, or correct the path"), True
    reasons = [judged(sample, Filter(years, None), ROWS)[1] for sample in samples[:ROWS]]
    counts = Counter(reason for reason in reasons if reason not in _FOLLOWS_ANOTHER)
    if not counts or None in counts:
        return None
    frequent, count = counts.most_common(1)[0]
    example = _example(samples[reasons.index(frequent)].raw)
    value = f"{count} of the first {len(reasons)} rows are counted as {frequent}{example}"
    advice = ADVICE.get(frequent or "", ADVICE[""])
    return PipelineError("no usable rows in source annotations", where, value, advice), len(samples) <= ROWS


def image_ids(
    source: Path,
    format: Format | None,
    table: str | None,
    images: str,
    columns: Columns,
    choose: Choose | None,
    wanted: Filter,
) -> set[str] | None:
    """Ids of the rows of a source that are used, as far as they can be told without reading images.

    None if that is not cheap: for RedCaps, tars, a large COCO file, and more than :data:`MOST_ROWS` rows.

    Raises:
        PipelineError: the source can't be read.
    """
    layout = layout_of(source, format, table)
    if layout.format in ("redcaps", "webdataset") or (layout.table and layout.table.stat().st_size > LARGEST_COCO):
        return None
    samples = list(islice(samples_of(layout, columns, SourceFiles(source, None, images), choose), MOST_ROWS + 1))
    rows = (judged(sample, wanted, ROWS) for sample in samples)
    return {row["image_id"] for row, reason in rows if reason is None} if len(samples) <= MOST_ROWS else None


def _example(raw: Any) -> str:
    place = raw.get("url") if isinstance(raw, dict) else None
    return f", the first of them with {place}" if isinstance(place, str) else ""
