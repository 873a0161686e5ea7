"""People's ratings as a table of captions, and as figures on raters, arms and scores."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from workflow_scripts.captions.labels.judging import auc, calibration_error, margin, probabilities, reliability
from workflow_scripts.captions.labels.reading import Labels
from workflow_scripts.core.files.names import POINTS, SCALES
from workflow_scripts.stats.clustered import ordinal_alpha
from workflow_scripts.stats.intervals import bootstrap, figure

ANSWERS = (*SCALES, "preferred")
RELIABILITY = pa.schema(
    [
        ("score", pa.string()),
        *((name, pa.float64()) for name in ("low", "high", "expected", "faithful", "faithful_low", "faithful_high")),
        ("n", pa.int64()),
    ]
)


def rating_table(labels: Labels, scores: Mapping[str, Mapping[tuple[str, str], float]]) -> pa.Table:
    """A row per image and arm: digest of the caption, mean answers, number of raters, and each score or null.

    Args:
        scores: name of a score -> (key, arm) -> its value.
    """
    rated = sorted(((one.key, arm, one) for one in labels.captions for arm in one.arms), key=lambda row: row[:2])
    columns: dict[str, Any] = {
        "key": pa.array([key for key, _, _ in rated], pa.string()),  # the type of an empty column can't be inferred
        "arm": pa.array([arm for _, arm, _ in rated], pa.string()),
        "text": pa.array([one.text for _, _, one in rated], pa.string()),
    }
    for name in ANSWERS:
        means = [np.mean(getattr(one, name)) if getattr(one, name) else None for _, _, one in rated]
        columns[name] = pa.array(means, pa.float64())
    columns["raters"] = pa.array([len(one.faithful) for _, _, one in rated], pa.int32())
    for score, known in scores.items():
        columns[score] = pa.array([known.get((key, arm)) for key, arm, _ in rated], pa.float64())
    return pa.table(columns)


def agreement(labels: Labels) -> dict[str, Any]:
    """Krippendorff's alpha of each scale, where it is defined, and the number of captions that several people rated."""
    found: dict[str, Any] = {"raters": len(labels.raters)}
    for scale in SCALES:
        ratings = [getattr(one, scale) for one in labels.captions]
        found[scale] = {"n": sum(len(one) > 1 for one in ratings)}
        alpha = ordinal_alpha(ratings, POINTS)
        found[scale] |= {} if alpha is None else {"alpha": alpha}
    return found


def arm_means(table: pa.Table, resamples: int, seed: int) -> dict[str, Any]:
    """Mean answers of each arm with bootstrap intervals over images."""
    arms = np.asarray(table["arm"].to_pylist())
    found: dict[str, Any] = {}
    for arm in sorted(set(arms)):
        for name in ANSWERS:
            values = table[name].to_numpy()[arms == arm]
            known = values[np.isfinite(values)]
            if len(known):
                found.setdefault(arm, {})[name] = figure(bootstrap(known, resamples, seed), len(known))
    return found


def score_figures(
    table: pa.Table, score: str, arms: Sequence[str], settings: Any
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Figures of one score, and its reliability curve.

    A caption that several arms share counts once. A caption is faithful if its mean rating is at least
    ``settings.faithful_from``; the replacement is better if its mean rating is higher, and ties do not count.

    Args:
        table: as :func:`rating_table` makes it.
        score: the column of the score.
        arms: names of the original and of the replacement.
        settings: faithful_from, bootstrap, seed.
    """
    known = [row for row in table.to_pylist() if row["faithful"] is not None and row[score] is not None]
    once = {(row["key"], row["text"]): row for row in known}.values()
    scores, faithful = (np.array([row[name] for row in once], float) for name in (score, "faithful"))
    found: dict[str, Any] = {"auc": {"n": len(scores)}}
    curve: list[dict[str, Any]] = []
    if len(scores):
        good = faithful >= settings.faithful_from
        images = np.unique([row["key"] for row in once], return_inverse=True)[1]
        found["auc"] = auc(scores, good, images, settings.bootstrap, settings.seed)
        chance = probabilities(scores, good, images)
        if chance is not None:
            curve = [{"score": score, **row} for row in reliability(scores, chance, good)]
            found["calibration_error"] = calibration_error(curve)
    gain, gap = _differences(known, score, arms)
    use = gap != 0
    found["margin"] = margin(gain[use], gap[use] > 0, settings.bootstrap, settings.seed)
    return found, curve


def _differences(rows: Sequence[Mapping[str, Any]], score: str, arms: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """(n,) score and (n,) mean rating of the replacement minus those of the original, of images that have both."""
    by_arm = [{row["key"]: (row[score], row["faithful"]) for row in rows if row["arm"] == arm} for arm in arms]
    pairs = [(by_arm[0][key], by_arm[1][key]) for key in by_arm[0] if key in by_arm[1]]
    found = np.array([np.subtract(new, old) for old, new in pairs], float).reshape(-1, 2)
    return found[:, 0], found[:, 1]
