"""Captions of rows whose image was kept against those of lost ones: what is left is no random sample."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
from scipy.special import stdtrit

from workflow_scripts.captions.diagnostics.words import HASHTAG, SHORT_WORDS, URL, is_first_person, is_vague, words_of
from workflow_scripts.stats.intervals import LEVEL, Interval, figure, share_difference, wilson

MEANS = ("words", "characters")
FIGURES = (*MEANS, "short", "vague", "first_person", "hashtag", "url")
"""Means over captions, and shares of them."""
KEPT = "ok"


def survivors(shards: Iterable[Path]) -> dict[str, Any]:
    """By figure: the means of ``kept`` and ``lost`` rows, and ``difference``, kept less lost, each with its interval.

    The intervals of shares are Wilson's, and Newcombe's for the difference (1998, Statistics in Medicine 17:873, method
    10); those of means are Student's t, and Welch's for the difference (1947, Biometrika 34:28). Rows count as
    independent.

    Args:
        shards: tables of download shards, read one at a time.
    """
    counts, sums, squares = np.zeros(2), np.zeros((2, len(FIGURES))), np.zeros((2, len(FIGURES)))
    for path in shards:
        table = pq.read_table(path, columns=["caption", "state"])
        values = np.array([_measured(text) for text in table["caption"].to_pylist()], float).reshape(-1, len(FIGURES))
        kept = pc.equal(table["state"], KEPT).to_numpy()
        for group, rows in enumerate((kept, ~kept)):
            counts[group] += rows.sum()
            sums[group] += values[rows].sum(axis=0)
            squares[group] += np.square(values[rows]).sum(axis=0)
    if counts.min() < 2:
        return {}
    means = sums / counts[:, None]
    spread = np.maximum(squares - sums * means, 0) / (counts - 1)[:, None] / counts[:, None]
    found = {}
    for at, name in enumerate(FIGURES):
        if name in MEANS:
            kept, lost = (_interval(means[group, at], spread[group, at], counts[group] - 1) for group in range(2))
            total = float(spread[:, at].sum())
            freedom = total**2 / float((spread[:, at] ** 2 / (counts - 1)).sum()) if total else float(counts.sum() - 2)
            difference = _interval(means[0, at] - means[1, at], total, freedom)
        else:
            kept, lost = (wilson(float(means[group, at]), float(counts[group])) for group in range(2))
            difference = share_difference(kept, lost)
        groups = {"kept": (kept, counts[0]), "lost": (lost, counts[1]), "difference": (difference, counts.sum())}
        found[name] = {group: figure(interval, int(number)) for group, (interval, number) in groups.items()}
    return found


def _measured(caption: str) -> tuple[float, ...]:
    """The values of :data:`FIGURES`."""
    words = words_of(caption)
    wording = is_vague(words), is_first_person(caption), bool(HASHTAG.search(caption)), bool(URL.search(caption))
    return (len(words), len(caption), len(words) < SHORT_WORDS, *wording)


def _interval(mean: float, variance: float, freedom: float) -> Interval:
    half = float(stdtrit(freedom, 0.5 + LEVEL / 2) * np.sqrt(variance))
    return Interval(float(mean), float(mean) - half, float(mean) + half)
