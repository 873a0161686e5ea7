"""How well judges without an image-text model tell a photo's own caption from others, on photos with human captions.

    python -m tests.bench.bench_judges PHOTOS REDCAPS.zip TEXT_MODEL LITE0

PHOTOS is a folder with captions.parquet (columns file, and captions: five texts) and images/; LITE0 the folder of
EfficientNet-Lite0's weights. Arms are made of each photo's first caption: own, shuffled, and mixed, half of each. The
judge of agreement compares with the third caption, and ridge is fitted to all captions of the other folds' photos.
Prints a JSON line per judge, kind of score and arm: how often, with 95 % intervals, a photo's caption in the arm scores
above

- random: the caption of a random photo;
- same label: that of a photo with the same most likely label;
- title: a random Reddit title;

and control, the style control: how often a random photo's caption scores above a random title, 0.5 for a fair judge.
Scores are raw, or standardised per text over the photos that it does not belong to. Intervals are for other photos,
with their captions, and other titles; a photo's caption in an arm counts as its own. They take the standardisation, and
the regressions of ridge, as given.

Then a line per judge and kind of score from labels: a sheet with the arms mixed, and mixed differently of each photo's
second caption, is rated 3 where a caption is the photo's own, else 0, and read as people's ratings are. The margin is
that of the second arm over the first.
"""

import functools
import json
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from math import sqrt
from pathlib import Path
from statistics import NormalDist
from typing import Any
from unittest import mock

import numpy as np
import pyarrow.parquet as pq
import torch
from PIL import Image

from tests.bench.truthful_labels import rate
from workflow_scripts.captions.derange import derange, mix
from workflow_scripts.captions.labels.reading import read_labels
from workflow_scripts.captions.labels.summary import rating_table, score_figures
from workflow_scripts.models import sentence_encoder
from workflow_scripts.models.classifiers import CLASSIFIERS
from workflow_scripts.models.judge import Judge, Scorer
from workflow_scripts.stages.caption_labels import CaptionLabels
from workflow_scripts.stages.score_captions import JUDGES

BATCH = 32
Encode = Callable[[Sequence[str]], torch.Tensor]


def titles_of(path: Path, count: int) -> list[str]:
    """``count`` random titles that are not blank."""
    with zipfile.ZipFile(path) as archive:
        files = [name for name in sorted(archive.namelist()) if name.endswith(".json")]
        rows = [row for name in files for row in json.loads(archive.read(name))["annotations"]]
    texts = [row["caption"] for row in rows if (row["caption"] or "").strip()]
    return [texts[place] for place in np.random.default_rng(0).choice(len(texts), count, replace=False)]


def once(encode: Encode) -> Encode:
    """An encoder that remembers its texts, since all judges read the same ones."""
    known: dict[str, torch.Tensor] = {}

    def vectors(texts: Sequence[str]) -> torch.Tensor:
        new = [text for text in dict.fromkeys(texts) if text not in known]
        known.update(zip(new, encode(new), strict=True) if new else ())
        return torch.stack([known[text] for text in texts])

    return vectors


def opened(paths: Sequence[Path]) -> list[Image.Image]:
    """RGB images."""
    return [Image.open(path).convert("RGB") for path in paths]


def table(judge: Scorer, shown: Sequence[Any], texts: Sequence[str]) -> np.ndarray:
    """(n, m) scores of n images, or captions in their place, and m texts by a judge of vectors."""
    images = [judge.prepare(judge.load(shown[start : start + BATCH]))[0] for start in range(0, len(shown), BATCH)]
    words = [judge.read(texts[start : start + BATCH]) for start in range(0, len(texts), BATCH)]
    return (torch.cat(images) @ torch.cat(words).T).numpy()


def standardised(scores: np.ndarray) -> np.ndarray:
    """(n, m) scores less each text's mean over photos, divided by its deviation, without the photo that it belongs to.

    The first 2 n texts are n first and n second captions; the rest are titles, which belong to no photo.
    """
    n, m = scores.shape
    photo = np.where(np.arange(m) < 2 * n, np.arange(m) % n, -1)
    others = np.where(np.arange(n)[:, None] == photo, np.nan, scores)
    return np.asarray((scores - np.nanmean(others, axis=0)) / np.nanstd(others, axis=0, ddof=1))


def above(values: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How often values exceed others of the same row, ties half; NaNs do not count.

    Args:
        values, others: (n, a) and (n, b).

    Returns:
        (n,) shares, NaN where unknown; and the influence of each column of ``values`` (a,) and of ``others`` (b,): the
        derivative of the sum of the shares by the weight of that column.
    """
    shares, first, second = np.full(len(values), np.nan), np.zeros(values.shape[1]), np.zeros(others.shape[1])
    for row, (mine, theirs) in enumerate(zip(values, others, strict=True)):
        here, there = ~np.isnan(mine), ~np.isnan(theirs)
        if here.any() and there.any():
            wins, losses = _below(theirs[there], mine[here]), _below(mine[here], theirs[there])
            shares[row] = wins.mean()
            first[here] += (wins - shares[row]) / here.sum()
            second[there] += (1 - losses - shares[row]) / there.sum()
    return shares, first, second


def _below(values: np.ndarray, bounds: np.ndarray) -> np.ndarray:
    """The share of values below each bound, equal ones half."""
    values = np.sort(values)
    return np.asarray((np.searchsorted(values, bounds) + np.searchsorted(values, bounds, "right")) / 2 / len(values))


def figures(captions: np.ndarray, titles: np.ndarray, labels: np.ndarray) -> dict[str, tuple[float, float, float]]:
    """The four figures with their intervals.

    Photos, each with its caption, and titles are two samples: the variance is the sum of those of their linearised
    values (Hoeffding 1948, Ann. Math. Stat. 19:293).

    Args:
        captions: (n, n) scores of the photos with an arm's captions.
        titles: (n, m) scores of the photos with titles.
        labels: (n,) most likely labels of the photos.
    """
    mine = np.diagonal(captions)[:, None]
    random = np.where(np.eye(len(captions), dtype=bool), np.nan, captions)
    same = np.where(labels[:, None] == labels[None, :], random, np.nan)
    found = {}
    for name, values, others in (
        ("random", mine, random),
        ("same label", mine, same),
        ("title", mine, titles),
        ("control", random, titles),
    ):
        shares, first, second = above(values, others)
        value, known = float(np.nanmean(shares)), ~np.isnan(shares)
        photos = np.where(known, shares - value, 0) + first  # ``mine`` has one column, without influence
        samples = [photos, second] if others is titles else [photos + second]
        variance = sum((one**2).sum() * len(one) / (len(one) - 1) for one in samples) / known.sum() ** 2
        half = NormalDist().inv_cdf(0.975) * sqrt(variance)
        found[name] = (value, max(0.0, value - half), min(1.0, value + half))
    return found


def calibrated(scores: np.ndarray, texts: Sequence[Sequence[str]]) -> dict[str, Any]:
    """AUC, calibration error and margin from labels made of the truth.

    Args:
        scores: (n, 2 n) of n photos with their first and second captions.
        texts: the n first and the n second captions.
    """
    n, rows = len(scores), np.arange(len(scores))
    given = {f"arm {seed}": mix(rows, np.zeros_like(rows), 0.5, seed) for seed in range(2)}
    captions = {
        f"{row:05}": {arm: texts[at][place[row]] for at, (arm, place) in enumerate(given.items())} for row in rows
    }
    own = {(f"{row:05}", arm): bool(place[row] == row) for arm, place in given.items() for row in rows}
    values = {
        (f"{row:05}", arm): float(scores[row, at * n + place[row]])
        for at, (arm, place) in enumerate(given.items())
        for row in rows
    }
    with tempfile.TemporaryDirectory() as folder:
        rate(Path(folder), captions, own)
        known = {(key, arm): text for key, arms in captions.items() for arm, text in arms.items()}
        ratings = rating_table(read_labels(Path(folder), list(given), known), {"score": values})
    found, _ = score_figures(ratings, "score", list(given), CaptionLabels())
    return found


def judges(photos: Path, encoder: Path, weights: Path) -> Iterator[tuple[str, Scorer]]:
    """Each judge that needs no image-text model, loaded."""
    sources = {"model": weights, "text": encoder, "photos": photos}
    for name in ("text_label", "ridge", "agreement"):
        kind: Judge = JUDGES[name]
        own = {"classifier": "efficientnet_lite0"} if "model" in kind.needs else {}
        yield name, kind.load({need: sources[need] for need in kind.needs}, "cpu", kind.settings.model_validate(own))


def lines(photos: Path, archive: Path, encoder: Path, weights: Path) -> Iterator[dict[str, Any]]:
    """What is printed."""
    rows = pq.read_table(photos / "captions.parquet", columns=["file", "captions"]).to_pylist()
    files, n = [photos / row["file"] for row in rows], len(rows)
    human = [[row["captions"][place] for row in rows] for place in range(3)]
    texts = [*human[0], *human[1], *titles_of(archive, n)]
    classifier = CLASSIFIERS["efficientnet_lite0"](weights, "cpu")
    labels = np.concatenate([classifier.logits(classifier.load(opened([file]))).argmax(1).numpy() for file in files])
    own, together = np.arange(n), np.zeros(n, np.int64)
    arms = {"own": own, "shuffled": derange(own, together, 0), "mixed": mix(own, together, 0.5, 0)}
    for name, judge in judges(photos, encoder, weights):
        raw = table(judge, human[2] if JUDGES[name].by_reference else opened(files), texts)
        for kind, scores in {"raw": raw, "standardised": standardised(raw)}.items():
            about = {"judge": name, "scores": kind}
            for arm, given in arms.items():
                found = figures(scores[:, :n][:, given], scores[:, 2 * n :], labels)
                said = {key: f"{value:.3f} [{low:.3f}, {high:.3f}]" for key, (value, low, high) in found.items()}
                yield {**about, "arm": arm, **said}
            yield {**about, "labels": calibrated(scores[:, : 2 * n], human[:2])}


def main(*words: str) -> None:
    """Print each line as soon as it is known."""
    torch.set_num_threads(1)
    load = functools.cache(lambda folder, device, real=sentence_encoder.unit_vectors: once(real(folder, device)))
    with mock.patch.object(sentence_encoder, "unit_vectors", load):
        for line in lines(*map(Path, words)):
            sys.stdout.write(json.dumps({"bench": "judges", **line}) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
