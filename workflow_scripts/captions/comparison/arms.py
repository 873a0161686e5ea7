"""Figures of all arms with intervals, and their differences to a reference arm on the same images."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
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
    """
    base = values(reference) if figure.compared and reference is not None else None
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
        if figure.values is not None:
            found[figure.name] = against(_reader(tables, figure), list(tables), reference, figure)
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
        absent, mentions = _counts(path)
        if not mentions.any():
            continue
        found[arm] = ratio(absent, mentions)
        if base is not None and base[1].any() and arm != reference:
            found[arm]["difference"] = mean_figure(linearised_ratio(absent, mentions) - linearised_ratio(*base))
    return {"absent_objects": found}


def _counts(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Absent objects and all mentions in the captions of images whose objects are known, the same for all arms."""
    table = pq.read_table(path, columns=["absent_objects", "named_objects"]).drop_null()
    return table["absent_objects"].to_numpy(), table["named_objects"].to_numpy()


def _reader(tables: Mapping[str, Path], figure: Figure) -> Values:
    def read(arm: str) -> np.ndarray:
        assert figure.values is not None
        return figure.values(pq.read_table(tables[arm], columns=list(figure.columns)))

    return read


def of_words(captions: Mapping[str, Path], count: int, reference: str | None, seed: int) -> Found:
    """Variety of words in blocks of images, by figure and arm.

    Args:
        captions: arm -> parquet file with the column caption.
        count: number of captions.
    """
    rows = variety.blocks(count, variety.WORD_BLOCKS, variety.WORD_IMAGES, seed)
    by_arm = {
        arm: [variety.word_variety(texts, variety.GRAMS) for texts in _texts(path, rows)]
        for arm, path in captions.items()
    }

    def one(name: str) -> Found:
        def read(arm: str) -> np.ndarray:
            return np.array([block[name] for block in by_arm[arm]], dtype=np.float64)

        return against(read, list(captions), reference, FIGURES[name])

    return {name: one(name) for name in ("distinct_2", "distinct_3", "word_entropy")}


def _texts(path: Path, blocks: Sequence[np.ndarray]) -> list[list[str]]:
    if not blocks:
        return []
    rows = np.concatenate(blocks)
    order = np.argsort(rows)
    texts = np.empty(len(rows), dtype=object)
    texts[order] = captions_of(path, rows[order])
    return [part.tolist() for part in np.split(texts, len(blocks))]


def of_vectors(vectors: Mapping[str, Mapping[str, Path]], reference: str | None, seed: int) -> Found:
    """Variety of vectors, by ``<figure>.<encoder>`` and arm.

    Args:
        vectors: encoder -> arm -> file of unit vectors.
    """
    found: Found = {}
    for encoder, files in vectors.items():
        scores: dict[str, np.ndarray] = {}
        near: dict[str, np.ndarray] = {}
        for arm, path in files.items():
            stored = np.load(path, mmap_mode="r", allow_pickle=False)
            rows = variety.blocks(len(stored), variety.VECTOR_BLOCKS, variety.VECTOR_IMAGES, seed)
            parts = [np.asarray(stored[np.sort(block)]) for block in rows]
            scores[arm] = np.array([variety.vendi(part) for part in parts])
            if parts:
                near[arm] = variety.near_vectors(np.concatenate(parts))
        arms, base = list(files), reference if reference in files else None
        found[f"vendi.{encoder}"] = against(scores.get, arms, base, FIGURES["vendi"])
        found[f"near_vectors.{encoder}"] = against(near.get, arms, base, FIGURES["near_vectors"])
    return found


def of_encoders(truncated: Mapping[str, Mapping[str, Path]], reference: str | None) -> Found:
    """Share of captions that a text encoder does not read to the end, by ``encoder_truncated.<encoder>`` and arm.

    Args:
        truncated: encoder -> arm -> file of (n,) bool.
    """

    def reader(files: Mapping[str, Path]) -> Values:
        return lambda arm: np.load(files[arm], allow_pickle=False)

    figure = FIGURES["encoder_truncated"]
    return {
        f"{figure.name}.{encoder}": against(
            reader(files), list(files), reference if reference in files else None, figure
        )
        for encoder, files in truncated.items()
    }
