"""Scores of captions by a judge, part by part, so that a killed job resumes where it stopped.

A caption is scored with its own image and with images of a sample. The sample shows how high the judge scores that text
whatever the image shows (:func:`styles`), which centred scores are without.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import torch

from workflow_scripts.captions.arm_rows import empty
from workflow_scripts.captions.score_table import COLUMNS, schema, text_digest
from workflow_scripts.core.files.durable import move_durable
from workflow_scripts.core.files.tables import write_table
from workflow_scripts.core.inputs import check_unchanged
from workflow_scripts.core.runtime.meter import fed
from workflow_scripts.core.runtime.progress import progress
from workflow_scripts.models.judge import Scorer
from workflow_scripts.stats.seeds import derive

BATCHES = 32  # batches per file of finished scores
SAMPLE = 256  # images that captions are compared with; as much as a GPU holds of BLIP-2's image states

Shown = Callable[[Sequence[Sequence[int]], Callable[[list[Any]], Any]], Iterator[Any]]
"""Batches of rows of the study's images, and a judge's ``load`` -> what it gives of the images or captions of each."""


@dataclass(frozen=True)
class Scored:
    """What is scored: n images, and the captions of several arms for them.

    Attributes:
        shown: reads what the judge is shown of the images.
        rows: (n,) rows of the images.
        keys: n keys.
        captions: one list of n captions per arm.
        works: folder of finished parts per arm.
    """

    shown: Shown
    rows: np.ndarray
    keys: Sequence[str]
    captions: Sequence[Sequence[str]]
    works: Sequence[Path]


@dataclass(frozen=True)
class Comparison:
    """The images that captions are compared with.

    Attributes:
        rows: (s,) rows of the images.
        others: number of them per caption, besides a random one.
        seed: which of them.
    """

    rows: np.ndarray
    others: int
    seed: int

    def columns(self, keys: Sequence[str], rows: np.ndarray) -> np.ndarray:
        """(n, 1 + others) int64 places in the sample for captions of n images, never the own image.

        An image has the same places in all arms, so scores of two arms with the random image are paired.
        """
        size, wanted = len(self.rows), min(self.others + 1, len(self.rows) - 1)
        if not size:
            return np.empty((len(keys), 0), np.int64)
        starts = np.array([derive(self.seed, "other image", key) % size for key in keys], dtype=np.int64)
        places = (starts[:, None] + np.arange(wanted + 1)) % size
        own = self.rows[places] == rows[:, None]
        # One place too many was drawn: the own image is left out, else the last.
        own[:, -1] |= ~own.any(axis=1)
        return places[~own].reshape(len(keys), wanted)


def chosen(count: int, images: int | None, seed: int) -> np.ndarray:
    """(count,) bool: which images have their captions scored, ``images`` at random or all; more include fewer."""
    places = np.random.default_rng(derive(seed, "images scored")).permutation(count)
    return np.asarray(places < (count if images is None else images))


def sampled(count: int, seed: int) -> np.ndarray:
    """min(SAMPLE, count) different rows of ``count`` in random order; the same for every arm and judge of a study."""
    rng = np.random.default_rng(derive(seed, "images compared"))
    return rng.choice(count, size=min(SAMPLE, count), replace=False)


def score_captions(
    scored: Scored, compared: Comparison, names: Sequence[str], batch_size: int, load: Callable[[], Scorer]
) -> list[pa.Table]:
    """Scores of each arm's captions.

    The captions of an arm pass the judge in batches of their own, so its scores do not depend on the other arms.

    Args:
        scored: what is scored; parts that an arm has finished are not computed again.
        compared: what it is compared with.
        names: names of the judge's scores.
        batch_size: images per batch; batch i starts at row i * batch_size, however often the job was stopped.
        load: returns the judge; not called if all parts are finished.

    Returns:
        Rows per arm: ``key``; ``text``, the caption's digest; ``random_image``, the place of a random image in the
        sample; and per score, in float32, ``<name>``, ``<name>_centred``, ``<name>_random`` (the score of the caption
        with the random image), ``<name>_random_centred``, and ``<name>_halves``, the mean over one half of the other
        images less that over the other half. Scores of an empty caption are null, and all but raw ones also where there
        are not two other images.

    Raises:
        PipelineError: an image can't be decoded, or the judge's model is unusable.
    """
    step = batch_size * BATCHES
    starts = range(0, len(scored.rows), step)
    paths = [[work / f"scores-{start:010d}.parquet" for start in starts] for work in scored.works]
    left = [n for n in range(len(starts)) if not all(arm[n].exists() for arm in paths)]
    if left:
        judge = load()
        sample = _sample(judge, scored.shown, compared.rows, batch_size)
        cuts = [_cuts(starts[n], min(starts[n] + step, len(scored.rows)), batch_size) for n in left]
        read = _read(judge, scored, list(chain.from_iterable(cuts)))
        for n, part in progress(zip(left, cuts, strict=True), len(left), "parts scored"):
            missing = [arm for arm in range(len(paths)) if not paths[arm][n].exists()]
            tables = _part(judge, sample, scored, compared, names, islice(read, len(part)), missing)
            for arm, table in zip(missing, tables, strict=True):
                temporary = scored.works[arm] / "scores.part"
                temporary.unlink(missing_ok=True)  # after a crash it can be a hard link to a finished part
                write_table(temporary, table)
                check_unchanged()
                move_durable(temporary, paths[arm][n])
    empty = schema(names).empty_table()
    return [pa.concat_tables([empty, *(pq.read_table(path, schema=empty.schema) for path in arm)]) for arm in paths]


def _sample(judge: Scorer, shown: Shown, rows: np.ndarray, batch_size: int) -> tuple[torch.Tensor, ...]:
    cuts = [rows[cut].tolist() for cut in _cuts(0, len(rows), batch_size)]
    parts = [judge.prepare(batch) for batch in shown(cuts, judge.load)]
    return tuple(torch.cat(tensors) for tensors in zip(*parts, strict=True))


def _cuts(start: int, stop: int, batch_size: int) -> list[slice]:
    return [slice(first, min(first + batch_size, stop)) for first in range(start, stop, batch_size)]


def _read(judge: Scorer, scored: Scored, cuts: Sequence[slice]) -> Iterator[tuple[slice, Any]]:
    """Each cut of the images with what the judge loads of it, while it works on earlier ones."""
    batches = scored.shown([scored.rows[cut].tolist() for cut in cuts], judge.load)
    return fed(zip(cuts, batches, strict=True), lambda pair: pair[0].stop - pair[0].start)


def _part(
    judge: Scorer,
    sample: tuple[torch.Tensor, ...],
    scored: Scored,
    compared: Comparison,
    names: Sequence[str],
    batches: Iterable[tuple[slice, Any]],
    arms: Sequence[int],
) -> list[pa.Table]:
    found: list[list[pa.Table]] = [[] for _ in arms]
    for cut, batch in batches:
        prepared = judge.prepare(batch)
        columns = compared.columns(scored.keys[cut], scored.rows[cut])
        places = torch.from_numpy(columns.T).to(prepared[0].device, non_blocking=True)
        for arm, tables in zip(arms, found, strict=True):
            texts = scored.captions[arm][cut]
            read = judge.read(texts)
            # One after the other: BLIP-2's states of 32 images take 46 MB.
            images = chain([prepared], (tuple(values[row] for values in sample) for row in places))
            # One copy from the device for all, since each would wait for it.
            scores = torch.stack([torch.stack(judge.scores(image, read)) for image in images]).cpu().numpy()
            tables.append(_table(scored.keys[cut], texts, columns[:, :1], names, scores))
    return [pa.concat_tables(tables) for tables in found]


def _table(
    keys: Sequence[str], texts: Sequence[str], random_image: np.ndarray, names: Sequence[str], scores: np.ndarray
) -> pa.Table:
    """Rows of n captions: their scores (images, names, n) with their own image, a random image and more others."""
    places = random_image.ravel() if random_image.size else pa.nulls(len(keys))
    found: dict[str, Any] = {"key": keys, "text": [text_digest(text) for text in texts], "random_image": places}
    blank = np.array([not text for text in texts])
    for place, name in enumerate(names):
        with_own, others = scores[0, place], scores[1:, place]
        random = others[0] if len(others) else np.full(len(keys), np.nan)
        style, halves = styles(others[1:].astype(np.float64))
        columns = (with_own, with_own - style, random, random - style, halves)
        for column, value in zip(COLUMNS, columns, strict=True):
            found[f"{name}{column}"] = pa.array(value, pa.float32(), mask=blank | ~np.isfinite(value))
    return pa.table(found, schema=schema(names))


def styles(others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What a judge gives n texts whatever the image shows: (n,) mean of (k, n) scores with other images.

    Scores are not divided by their deviation, which a few images give too imprecisely: that would favour one text.
    Also returns the mean of one half of the images less that of the other; both are NaN for fewer than two images.
    """
    if len(others) < 2:
        return (np.full(others.shape[1], np.nan),) * 2
    first, second = (others[start::2].mean(axis=0) for start in range(2))
    return (first + second) / 2, first - second


def texts_shown(texts: pa.ChunkedArray) -> Shown:
    """(n,) texts in place of n images: what ``load`` gives of those of each batch of rows."""
    together = texts.combine_chunks()

    def shown(cuts: Sequence[Sequence[int]], load: Callable[[list[str]], Any]) -> Iterator[Any]:
        for cut in cuts:
            yield load(together.take(pa.array(cut)).to_pylist())

    return shown


class Reference:
    """The captions of the reference arm, of n images.

    Attributes:
        rows: (m,) int64 images that have a caption.
        shown: see :func:`texts_shown`.
    """

    def __init__(self, captions: pa.ChunkedArray) -> None:
        self._captions = captions.combine_chunks()
        self.rows = np.flatnonzero(~empty(self._captions))
        self.shown = texts_shown(captions)

    def comparable(self, captions: pa.ChunkedArray) -> pa.ChunkedArray:
        """(n,) captions, emptied where there is nothing to compare: the image's is empty, or the same text."""
        nothing = pc.or_(pc.equal(self._captions, ""), pc.equal(self._captions, captions.combine_chunks()))
        return pc.if_else(nothing, "", captions)
