"""Agreement of scores with people: rated captions of any table, and Kendall's tau of each score with the ratings."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from workflow_scripts.captions.labels.reading import Labels
from workflow_scripts.captions.score_table import KINDS, RANDOM, by_halves, score_names
from workflow_scripts.core.files.foreign import readable, table_batches
from workflow_scripts.models.text_norms import is_blank
from workflow_scripts.stats.clustered import figure_by_draws, kendall_b, kendall_c

_KINDS = {"image": pa.string(), "caption": pa.string(), "rating": pa.float64()}
_ADVICE = "give a parquet or CSV file with columns image, caption and rating, or a folder with rated sheets and keys"


class Rating(NamedTuple):
    """A rating of a caption of an image; the same pair can have several."""

    image: str
    caption: str
    rating: float


@dataclass(frozen=True)
class Ratings:
    """Ratings, the number of rows that were read, and how many rows or ratings were left out, by reason."""

    rows: Sequence[Rating]
    read: int
    left_out: Counter[str]

    def without(self, faults: Mapping[str, str]) -> "Ratings":
        """Those of the other images: ``faults`` says why some are left out."""
        kept = [row for row in self.rows if row.image not in faults]
        reasons = Counter(faults[row.image] for row in self.rows if row.image in faults)
        return Ratings(kept, self.read, self.left_out + reasons)


def read_ratings(path: Path) -> Ratings:
    """The rows of a table that have an image, a caption that is not blank, and a finite rating.

    Raises:
        PipelineError: the file is missing or damaged, or lacks a column.
    """
    rows, left_out, read = [], Counter[str](), 0
    with readable("unreadable ratings", path, _ADVICE):
        for batch in table_batches(path, _KINDS):
            for row in map(Rating, *(batch[name].to_pylist() for name in _KINDS)):
                read += 1
                if is_blank(row.image) or is_blank(row.caption):
                    left_out["no_image" if is_blank(row.image) else "no_caption"] += 1
                elif row.rating is None or not isfinite(row.rating):
                    left_out["no_rating"] += 1
                else:
                    rows.append(row)
    return Ratings(rows, read, left_out)


def ratings_of(labels: Labels, captions: Mapping[tuple[str, str], str]) -> Ratings:
    """The mean rating of faithfulness of each caption on the sheets.

    Args:
        captions: (key, arm) -> caption.
    """
    rated = [one for one in labels.captions if one.faithful]
    rows = [Rating(one.key, captions[one.key, one.arms[0]], float(np.mean(one.faithful))) for one in rated]
    unrated = Counter({"no_rating": len(labels.captions) - len(rated)})
    return Ratings(rows, labels.rows, labels.dropped + unrated)


@dataclass(frozen=True)
class Layout:
    """Rated captions as the captions of several arms, since a judge then sees each image once.

    Attributes:
        images: n images.
        arms: n captions each; an image with fewer has empty ones.
        places: of each rating, the place of its caption among those of all arms, one after the other.
    """

    images: Sequence[str]
    arms: Sequence[Sequence[str]]
    places: np.ndarray


def laid_out(ratings: Sequence[Rating]) -> Layout:
    """The layout of ratings."""
    captions: dict[str, dict[str, int]] = {}
    for image, caption, _ in ratings:
        captions.setdefault(image, {}).setdefault(caption, len(captions[image]))
    row = {image: number for number, image in enumerate(captions)}
    arms = [[""] * len(row) for _ in range(max(map(len, captions.values()), default=0))]
    for image, arm_of in captions.items():
        for caption, arm in arm_of.items():
            arms[arm][row[image]] = caption
    places = [captions[image][caption] * len(row) + row[image] for image, caption, _ in ratings]
    return Layout(list(row), arms, np.array(places, dtype=np.int64))


def figures(scores: pa.Table, ratings: np.ndarray, images: np.ndarray) -> dict[str, Any]:
    """By score, raw and centred: ``tau_b`` and ``tau_c`` with the ratings, with intervals over images.

    ``style_control``: the same of the scores that these captions get beside a random other image, 0 for a judge that
    has no preference for the wording of captions that people rate well.

    Args:
        scores: n rows (``score_table.schema``).
        ratings: (n,) float.
        images: (n,) the image of each.
    """
    return {
        name: {
            kind: {
                **_taus(by_halves(scores, name, ending), ratings, images),
                "style_control": _taus(by_halves(scores, name, f"{RANDOM}{ending}"), ratings, images),
            }
            for kind, ending in KINDS.items()
        }
        for name in score_names(scores)
    }


def _taus(scores: np.ndarray, ratings: np.ndarray, images: np.ndarray) -> dict[str, Any]:
    known, estimates = ~np.isnan(scores[0]), {"tau_b": kendall_b, "tau_c": kendall_c}
    return {name: figure_by_draws(tau, known, images, scores, ratings[None]) for name, tau in estimates.items()}
