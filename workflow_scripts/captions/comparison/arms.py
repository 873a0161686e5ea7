"""Figures of all arms with intervals, and their differences to a reference arm on the same images."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from workflow_scripts.captions.comparison import variety
from workflow_scripts.captions.comparison.figures import FIGURES, Figure
from workflow_scripts.captions.diagnostics.reading import captions_of
from workflow_scripts.captions.diagnostics.summary import ratio, share
from workflow_scripts.stats.clustered import linearised_ratio
from workflow_scripts.stats.intervals import mean_figure

Found = dict[str, Any]
Values = Callable[[str], np.ndarray | None]


def against(values: Values, arms: Sequence[str], reference: str | None, figure: Figure) -> Found:
    """By arm: the mean with its interval, and ``difference``, that of the paired differences to the reference arm.

    Shares of captions have Wilson intervals, all else Student's t. The units (images, or blocks of images) are taken
    as independent. Arms without a known value are left out.

    Args:
        values: arm -> (n,) bool or float64 with NaN where unknown; of the same n units for all arms; None: none.
        reference: it is compared with the others if it is one of the ``arms``.
    """
    # The original captions keep all of their own details, so the difference to them says nothing.
    base = values(reference) if reference is not None and reference in arms and figure.name != "details_kept" else None
    found: Found = {}
    for arm in arms:
        own = values(arm)
        if own is None or not (known := ~np.isnan(own)).any():
            continue
        found[arm] = share(own[known]) if figure.unit == "share" else mean_figure(own)
        if base is not None and arm != reference:
            found[arm]["difference"] = mean_figure(own.astype(np.float64) - base)
    return found


def of_columns(tables: Mapping[str, Path], reference: str | None) -> Found:
    """Figures of columns, by figure and arm; one figure of two arms is in memory at a time.

    Args:
        tables: arm -> parquet file of ``caption_quality``.
    """
    found = {}
    for figure in FIGURES.values():
        if figure.columns:
            found[figure.name] = against(partial(_values, tables, figure), list(tables), reference, figure)
    return found


def of_objects(tables: Mapping[str, Path], reference: str | None) -> Found:
    """Share of the mentioned objects that are not in the image, by arm; two arms are in memory at a time.

    Source: Rohrbach et al. 2018 (EMNLP, "Object Hallucination in Image Captioning"), CHAIR_i. Images are independent,
    mentions in the same caption are not.

    Args:
        tables: arm -> parquet file of ``caption_quality``.
    """
    base = None if reference is None else _counts(tables[reference])
    found: Found = {}
    for arm, path in tables.items():
        own = _counts(path)
        known = ~np.isnan(own[1])
        if not own[1][known].any():
            continue
        found[arm] = ratio(*own[:, known])
        if base is None or arm == reference:
            continue
        both = known & ~np.isnan(base[1])
        if own[1][both].any() and base[1][both].any():
            difference = linearised_ratio(*own[:, both]) - linearised_ratio(*base[:, both])
            found[arm]["difference"] = mean_figure(difference)
    return {"absent_objects": found}


def _counts(path: Path) -> np.ndarray:
    """(2, n): absent objects and all mentions in captions, NaN where the image's objects or its caption are unknown."""
    table = pq.read_table(path, columns=["absent_objects", "named_objects"])
    return np.array([pc.fill_null(column.cast(pa.float64()), np.nan).to_numpy() for column in table.columns])


def _values(tables: Mapping[str, Path], figure: Figure, arm: str) -> np.ndarray:
    return figure.values(pq.read_table(tables[arm], columns=list(figure.columns)))


def captioned(tables: Mapping[str, Path], arms: Iterable[str]) -> tuple[list[str], np.ndarray]:
    """Those of ``arms`` that caption at least half of the images, and the rows of images that all of these caption.

    Args:
        tables: arm -> parquet file of ``caption_quality``.
    """
    empty = {arm: pq.read_table(tables[arm], columns=["empty"])["empty"].to_numpy() for arm in arms}
    dense = [arm for arm, rows in empty.items() if len(rows) and rows.mean() <= 0.5]
    return dense, np.flatnonzero(~np.any([empty[arm] for arm in dense], axis=0)) if dense else np.zeros(0, np.int64)


def of_words(captions: Mapping[str, Path], tables: Mapping[str, Path], reference: str | None, seed: int) -> Found:
    """Variety of words in blocks of images that all arms caption, by figure and arm; see :func:`captioned`.

    Args:
        captions: arm -> parquet file with the column caption.
        tables: arm -> parquet file of ``caption_quality``.
    """
    dense, rows = captioned(tables, captions)
    blocks = [rows[block] for block in variety.blocks(len(rows), variety.WORD_BLOCKS, variety.WORD_IMAGES, seed)]
    by_arm = {
        arm: [variety.word_variety(texts, variety.GRAMS) for texts in _texts(captions[arm], blocks)] for arm in dense
    }

    found = {}
    for name in ("distinct_2", "distinct_3", "word_entropy"):
        values = {arm: np.array([block[name] for block in blocks], np.float64) for arm, blocks in by_arm.items()}
        found[name] = against(values.get, dense, reference, FIGURES[name])
    return found


def _texts(path: Path, blocks: Sequence[np.ndarray]) -> list[list[str]]:
    if not blocks:
        return []
    rows = np.concatenate(blocks)
    order = np.argsort(rows)
    texts = np.empty(len(rows), dtype=object)
    texts[order] = captions_of(path, rows[order])
    return [part.tolist() for part in np.split(texts, len(blocks))]


def of_vectors(
    vectors: Mapping[str, Mapping[str, Path]], tables: Mapping[str, Path], reference: str | None, seed: int
) -> Found:
    """Variety of vectors of images that all arms caption, by ``<figure>.<encoder>`` and arm; see :func:`captioned`.

    Args:
        vectors: encoder -> arm -> file of unit vectors.
        tables: arm -> parquet file of ``caption_quality``.
    """
    found: Found = {}
    for encoder, files in vectors.items():
        dense, rows = captioned(tables, files)
        blocks = variety.blocks(len(rows), variety.VECTOR_BLOCKS, variety.VECTOR_IMAGES, seed)
        scores: dict[str, np.ndarray] = {}
        near: dict[str, np.ndarray] = {}
        for arm in dense:
            stored = np.load(files[arm], mmap_mode="r", allow_pickle=False)
            parts = [np.asarray(stored[rows[np.sort(block)]]) for block in blocks]
            scores[arm] = np.array([variety.vendi(part) for part in parts])
            if parts:
                near[arm] = variety.near_vectors(np.concatenate(parts))
        found[f"vendi.{encoder}"] = against(scores.get, dense, reference, FIGURES["vendi"])
        found[f"near_vectors.{encoder}"] = against(near.get, dense, reference, FIGURES["near_vectors"])
    return found


def of_encoders(
    truncated: Mapping[str, Mapping[str, Path]], tables: Mapping[str, Path], reference: str | None
) -> Found:
    """Share of captions that a text encoder does not read to the end, by ``encoder_truncated.<encoder>`` and arm.

    Args:
        truncated: encoder -> arm -> file of (n,) bool.
        tables: arm -> parquet file of ``caption_quality``.
    """

    def cut(files: Mapping[str, Path], arm: str) -> np.ndarray:
        empty = pq.read_table(tables[arm], columns=["empty"])["empty"].to_numpy()
        return np.where(empty, np.nan, np.load(files[arm], mmap_mode="r", allow_pickle=False))

    found: Found = {}
    for encoder, files in truncated.items():
        values = {arm: cut(files, arm) for arm in files}
        figure = FIGURES["encoder_truncated"]
        found[f"{figure.name}.{encoder}"] = against(values.get, list(files), reference, figure)
    return found
