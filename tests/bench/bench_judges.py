"""How well the text-label judge tells a photo's own caption from others, on photos with human captions.

    python -m tests.bench.bench_judges PHOTOS REDCAPS.zip TEXT_MODEL LITE0

PHOTOS is a folder with captions.parquet (columns file, captions) and images/; LITE0 the folder of EfficientNet-Lite0's
weights. Prints a JSON line for raw and one for standardised scores: how often, with 95 % bootstrap intervals over
photos, a photo's own caption scores above

- random: the caption of a random photo;
- same label: that of a photo with the same most likely label;
- title: a random Reddit title;

and control, the style control: how often a random photo's caption scores above a random title, 0.5 for a fair judge.
Scores are raw, or standardised per text over the photos that it does not belong to.
"""

import json
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import torch
from PIL import Image

from workflow_scripts.models.classifiers import CLASSIFIERS
from workflow_scripts.models.judge import Scorer
from workflow_scripts.stages.score_captions import JUDGES
from workflow_scripts.stats.intervals import bootstrap

BATCH = 32


def titles_of(path: Path, count: int) -> list[str]:
    """``count`` random titles that are not blank."""
    with zipfile.ZipFile(path) as archive:
        files = [name for name in sorted(archive.namelist()) if name.endswith(".json")]
        rows = [row for name in files for row in json.loads(archive.read(name))["annotations"]]
    texts = [row["caption"] for row in rows if (row["caption"] or "").strip()]
    return [texts[place] for place in np.random.default_rng(0).choice(len(texts), count, replace=False)]


def table(judge: Scorer, photos: Sequence[Path], texts: Sequence[str]) -> np.ndarray:
    """(photos, texts) scores of a judge of vectors."""
    images, words = [], []
    for start in range(0, len(photos), BATCH):
        images.append(judge.prepare([Image.open(path).convert("RGB") for path in photos[start : start + BATCH]])[0])
    for start in range(0, len(texts), BATCH):
        words.append(judge.read(texts[start : start + BATCH]))
    return (torch.cat(images) @ torch.cat(words).T).numpy()


def standardised(scores: np.ndarray, own: bool) -> np.ndarray:
    """(n, m) scores less each text's mean over photos, divided by its deviation; ``own``: text i belongs to photo i."""
    others = np.where(np.eye(*scores.shape, dtype=bool) & own, np.nan, scores)
    return (scores - np.nanmean(others, axis=0)) / np.nanstd(others, axis=0, ddof=1)


def above(values: np.ndarray, others: np.ndarray) -> np.ndarray:
    """For each of n rows: how often (n, a) ``values`` exceed (n, b) ``others``, ties half; NaNs do not count."""
    shares = []
    for mine, theirs in zip(values, others, strict=True):
        theirs = np.sort(theirs[~np.isnan(theirs)])
        mine = mine[~np.isnan(mine)]
        ranks = np.searchsorted(theirs, mine, "left") + np.searchsorted(theirs, mine, "right")
        shares.append(ranks.mean() / 2 / len(theirs) if len(theirs) and len(mine) else np.nan)
    return np.array(shares)


def figures(captions: np.ndarray, titles: np.ndarray, labels: np.ndarray) -> dict[str, str]:
    """The four figures from scores (n, n) of captions and (n, m) of titles, and the label (n,) of each photo."""
    mine = np.diagonal(captions)[:, None]
    random = np.where(np.eye(len(captions), dtype=bool), np.nan, captions)
    same = np.where(labels[:, None] == labels[None, :], random, np.nan)
    shares = {
        "random": above(mine, random),
        "same label": above(mine, same),
        "title": above(mine, titles),
        "control": above(random, titles),
    }
    found = {}
    for name, values in shares.items():
        value, low, high = bootstrap(values[~np.isnan(values)], 2000, 0)
        found[name] = f"{value:.3f} [{low:.3f}, {high:.3f}]"
    return found


def main(photos: str, archive: str, encoder: str, weights: str) -> None:
    """Measure the text-label judge."""
    torch.set_num_threads(1)
    rows = pq.read_table(Path(photos, "captions.parquet"), columns=["file", "captions"]).to_pylist()
    files = [Path(photos, "images", Path(row["file"]).name) for row in rows]
    kind = JUDGES["text_label"]
    settings = kind.settings.model_validate({"classifier": "efficientnet_lite0"})
    judge = kind.load({"model": Path(weights), "text": Path(encoder)}, "cpu", settings)
    classifier = CLASSIFIERS["efficientnet_lite0"].load(Path(weights), "cpu")
    texts = [row["captions"][0] for row in rows] + titles_of(Path(archive), len(rows))
    scores = table(judge, files, texts)
    labels = np.concatenate([classifier.logits([Image.open(file).convert("RGB")]).argmax(1).numpy() for file in files])
    captions, titles = scores[:, : len(rows)], scores[:, len(rows) :]
    compared = {"raw": (captions, titles), "standardised": (standardised(captions, True), standardised(titles, False))}
    for scale, (ours, theirs) in compared.items():
        found = figures(ours, theirs, labels)
        sys.stdout.write(json.dumps({"bench": "judges", "judge": "text_label", "scores": scale, **found}) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
