"""People's ratings as a table of captions, and as figures on raters, arms, and how well scores agree with them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from workflow_scripts.captions.labels.reading import Labels
from workflow_scripts.core.files.names import POINTS, SCALES
from workflow_scripts.stats.clustered import ordinal_alpha
from workflow_scripts.stats.intervals import bootstrap, figure, percentile_interval, resampling_weights, wilson

FOLDS, BINS = 5, 10  # of the cross-validation, which keeps images together; of the reliability curve
FEWEST = 10  # captions or images for a figure that is cross-validated
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
    table: pa.Table, name: str, arms: Sequence[str], settings: Any
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Figures of one score, and its reliability curve.

    A caption that several arms share counts once. A caption is faithful if its mean rating is at least
    ``settings.faithful_from``; the replacement is better if its mean rating is higher, and ties do not count.

    Args:
        table: as :func:`rating_table` makes it.
        name: of the score.
        arms: names of the original and of the replacement.
        settings: faithful_from, bootstrap, seed.
    """
    known = [row for row in table.to_pylist() if row["faithful"] is not None and row[name] is not None]
    once = {(row["key"], row["text"]): row for row in known}.values()
    found: dict[str, Any] = {"auc": {"n": len(once)}}
    curve: list[dict[str, Any]] = []
    if once:
        scores = np.array([row[name] for row in once])
        good = np.array([row["faithful"] for row in once], float) >= settings.faithful_from
        images = np.unique([row["key"] for row in once], return_inverse=True)[1]
        found["auc"] = auc(scores, good, images, settings.bootstrap, settings.seed)
        chance = probabilities(scores, good, images)
        if chance is not None:
            curve = [{"score": name, **row} for row in reliability(scores, chance, good)]
            found["calibration_error"] = calibration_error(curve)
    gain, gap = _differences(known, name, arms)
    use = gap != 0
    found["margin"] = margin(gain[use], gap[use] > 0, settings.bootstrap, settings.seed)
    return found, curve


def _differences(rows: Sequence[Mapping[str, Any]], name: str, arms: Sequence[str]) -> np.ndarray:
    """(2, n) score and mean rating of the replacement minus those of the original, of images with both."""
    by_arm = [{row["key"]: (row[name], row["faithful"]) for row in rows if row["arm"] == arm} for arm in arms]
    pairs = [(by_arm[0][key], by_arm[1][key]) for key in by_arm[0] if key in by_arm[1]]
    return np.array([np.subtract(new, old) for old, new in pairs], float).reshape(-1, 2).T


def auc(scores: np.ndarray, faithful: np.ndarray, images: np.ndarray, resamples: int, seed: int) -> dict[str, Any]:
    """Area under the ROC curve, with a percentile bootstrap interval over images.

    Args:
        scores: (n,) float.
        faithful: (n,) bool.
        images: (n,) int from 0, the image of each caption; captions of an image are resampled together.

    Returns:
        value, low, high, n; without value if there is a single class.
    """
    from sklearn.metrics import roc_auc_score

    if len(np.unique(faithful)) < 2:
        return {"n": len(faithful)}
    value = float(roc_auc_score(faithful, scores))
    resampled = []
    for weights in resampling_weights(int(images.max()) + 1, resamples, seed):
        for row in weights[:, images]:
            if row[faithful].sum() > 0 and row[~faithful].sum() > 0:  # else undefined
                resampled.append(roc_auc_score(faithful, scores, sample_weight=row))
    return figure(percentile_interval(value, np.array(resampled)), len(scores))


def probabilities(scores: np.ndarray, faithful: np.ndarray, images: np.ndarray) -> np.ndarray | None:
    """(n,) probability that a caption is faithful, by a logistic curve fitted to the other folds' images (Platt 1999).

    None if there are too few captions or images, or a fold leaves a single class.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GroupKFold, cross_val_predict

    if len(scores) < FEWEST or len(np.unique(images)) < FOLDS:
        return None
    parts = list(GroupKFold(FOLDS).split(scores, faithful, images))
    if any(len(np.unique(faithful[train])) < 2 for train, _ in parts):
        return None
    scaled = ((scores - scores.mean()) / (scores.std() or 1.0))[:, None]
    fitted = cross_val_predict(LogisticRegression(C=1e6), scaled, faithful, cv=parts, method="predict_proba")
    return np.asarray(fitted[:, 1])


def reliability(scores: np.ndarray, chance: np.ndarray, faithful: np.ndarray, bins: int = BINS) -> list[dict[str, Any]]:
    """Bins of about equal size, by ascending score: what was expected, and the share of faithful captions in each.

    Returns:
        rows of low, high (scores), expected (mean probability), faithful (share) with its Wilson interval, and n.
    """
    rows = []
    for part in np.array_split(np.argsort(scores, kind="stable"), min(bins, len(scores))):
        share = wilson(float(faithful[part].mean()), len(part))
        span = {"low": float(scores[part[0]]), "high": float(scores[part[-1]])}
        found = {"faithful": share.value, "faithful_low": share.low, "faithful_high": share.high}
        rows.append({**span, "expected": float(chance[part].mean()), **found, "n": len(part)})
    return rows


def calibration_error(rows: list[dict[str, Any]]) -> float:
    """Expected calibration error of :func:`reliability` rows (Guo et al. 2017, ICML, eq. 3)."""
    total = sum(row["n"] for row in rows)
    return float(sum(row["n"] * abs(row["faithful"] - row["expected"]) for row in rows) / total)


def best_margin(gain: np.ndarray, better: np.ndarray, weights: np.ndarray | None = None) -> float:
    """The margin m with the fewest errors of the rule "replace where gain > m"; of several the closest to 0.

    Args:
        gain: (n,) float, score of the replacement minus score of the original.
        better: (n,) bool, whether people found the replacement better.
        weights: (n,) how often each image counts.
    """
    counts = np.ones(len(gain)) if weights is None else weights
    values, place = np.unique(gain, return_inverse=True)
    margins = np.concatenate([[values[0] - 1], (values[:-1] + values[1:]) / 2, [values[-1] + 1]])
    wrong_kept = np.bincount(place, weights=counts * better, minlength=len(values))
    wrong_replaced = np.bincount(place, weights=counts * ~better, minlength=len(values))
    errors = np.append(0, np.cumsum(wrong_kept)) + np.append(np.cumsum(wrong_replaced[::-1])[::-1], 0)
    least = np.flatnonzero(errors <= errors.min() + 1e-9)
    return float(margins[least[np.argmin(np.abs(margins[least]))]])


def margin(gain: np.ndarray, better: np.ndarray, resamples: int, seed: int) -> dict[str, Any]:
    """:func:`best_margin` with a bootstrap interval, and the shares of errors: its own, and that of margin 0.

    The share of errors is that on images of other folds than those that the margin is from.

    Args:
        gain: (n,) float, score of the replacement minus score of the original.
        better: (n,) bool, whether people found the replacement better.

    Returns:
        value, low, high, n, errors, errors_at_zero; n alone if there are fewer than :data:`FEWEST` images.
    """
    n = len(better)
    if n < FEWEST:
        return {"n": n}
    order = np.random.default_rng(seed).permutation(n)
    wrong = np.zeros(n, bool)
    for held_out in np.array_split(order, FOLDS):
        rest = np.setdiff1d(order, held_out)
        wrong[held_out] = (gain[held_out] > best_margin(gain[rest], better[rest])) != better[held_out]
    drawn = [best_margin(gain, better, row) for part in resampling_weights(n, resamples, seed) for row in part]
    found = percentile_interval(best_margin(gain, better), np.array(drawn))
    return {
        **figure(found, n),
        "errors": float(wrong.mean()),
        "errors_at_zero": float(((gain > 0) != better).mean()),
    }
