"""A quick check of an annotation source before anything is computed from it."""

import zipfile
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Any

from workflow_scripts.acquisition.annotations.formats.files import SourceFiles
from workflow_scripts.acquisition.annotations.formats.layout import Choose, Layout, layout_of
from workflow_scripts.acquisition.annotations.formats.sample import Sample
from workflow_scripts.acquisition.annotations.own import ADVICE, judged, samples_of
from workflow_scripts.acquisition.annotations.rows import Apart, Filter
from workflow_scripts.core.errors import PipelineError

ROWS, MOST_ROWS = 200, 10_000
NO_ROWS, SOME_ROWS = "no usable rows in source annotations", "unusable rows in source annotations"
IN_A_FOLDER = "put this table and the images into one folder, and give that folder as the source"
LARGEST_COCO = 16 << 20  # bytes: a COCO file is read three times, which takes a second from here on
_FOLLOWS_ANOTHER = {Apart.REPEATED_ID, Apart.FURTHER_CAPTION}  # says nothing about the source: another row decides
_INTENDED = {Apart.EXCLUDED, Apart.FILTERED_SUBREDDIT, Apart.FILTERED_YEAR}


def look(source: Path, rows: Any) -> tuple[PipelineError, bool] | None:
    """What is wrong with an existing source, according to its first :data:`ROWS` rows, and whether it is certain.

    Rows are read from disk, without hashes. If some of them can't be used, up to :data:`MOST_ROWS` are read. That a run
    fails is certain only if these are all rows, and none of them can be used.

    Args:
        rows: settings of the stage ``annotations``.
    """
    try:
        layout = layout_of(source, rows.format, rows.table)
        if layout.format == "redcaps" and not zipfile.is_zipfile(source):
            advice = "give the RedCaps annotation zip"
            raise PipelineError("wrong source annotations", source, "not a zip archive", advice)
        if layout.format == "redcaps" or (layout.format == "coco" and _is_large(layout)):
            return None
        samples = _first(layout, rows, None, ROWS + 1)
    except PipelineError as error:
        return error, True
    where = layout.table or source
    if not samples:
        return PipelineError("no rows in source annotations", where, "empty", "add rows, or correct the path"), True
    reasons = _reasons(samples[:ROWS], rows)
    no_faults = _FOLLOWS_ANOTHER | (_INTENDED if None in reasons else set())
    faults = Counter(reason for reason in reasons if reason and reason not in no_faults)
    if not faults:
        return None
    frequent = faults.most_common(1)[0][0]
    example = _example(samples[reasons.index(frequent)].raw)
    every = reasons if len(samples) <= ROWS else _reasons(_first(layout, rows, None, MOST_ROWS + 1), rows)
    all_rows = len(every) <= MOST_ROWS
    of = f"{every.count(frequent):,} of {'' if all_rows else 'the first '}{len(every):,}"
    value = f"{of} rows are counted as {frequent}{example}"
    if None in every:
        return PipelineError(SOME_ROWS, where, value, "correct them, or go on without these rows"), False
    advice = IN_A_FOLDER if frequent == Apart.NO_IMAGE and source.is_file() else ADVICE.get(frequent, ADVICE[""])
    return PipelineError(NO_ROWS, where, value, advice), all_rows


def _reasons(samples: list[Sample], rows: Any) -> list[Apart | None]:
    return [judged(sample, Filter(rows.years, None), ROWS)[1] for sample in samples]


def images_of(source: Path, rows: Any) -> dict[str, str | None] | None:
    """Of the rows of a source that are used, as far as can be told without reading images: id -> path of the image.

    The path is None if the image must be downloaded.

    None if that is not cheap: for RedCaps, tars, a large table, and more than :data:`MOST_ROWS` rows.

    Args:
        rows: settings of the stage ``annotations``.

    Raises:
        PipelineError: the source can't be read.
    """
    layout = layout_of(source, rows.format, rows.table)
    if layout.format in ("redcaps", "webdataset") or _is_large(layout):
        return None
    samples, wanted = _first(layout, rows, rows.choose, MOST_ROWS + 1), Filter(rows.years, rows.subreddits)
    if len(samples) > MOST_ROWS:
        return None
    found = [(sample.image, *judged(sample, wanted, ROWS)) for sample in samples]
    return {row["image_id"]: image.path if image else None for image, row, reason in found if reason is None}


def _is_large(layout: Layout) -> bool:
    return layout.table is not None and layout.table.stat().st_size > LARGEST_COCO


def _first(layout: Layout, rows: Any, choose: Choose | None, most: int) -> list[Sample]:
    samples = samples_of(layout, rows.columns, SourceFiles(layout.source, None, rows.images), choose)
    return list(islice((sample for sample in samples if sample.unfit is not Apart.NO_ROW), most))


def _example(raw: Any) -> str:
    place = raw.get("url") if isinstance(raw, dict) else None
    return f", the first of them with {place}" if isinstance(place, str) else ""
