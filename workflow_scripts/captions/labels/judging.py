"""How well scores of captions agree with people's ratings."""

from typing import Any

import numpy as np

from workflow_scripts.stats.intervals import figure, percentile_interval, resampling_weights, wilson

FOLDS, BINS = 5, 10  # of the cross-validation, which keeps images together; of the reliability curve
FEWEST = 10  # captions or images for a figure that is cross-validated


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
        return {"n": len(scores)}
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

    Returns:
        value, low, high, n, errors, errors_at_zero; n alone if there are fewer than :data:`FEWEST` images.
    """
    n = len(gain)
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
        **{"errors": float(wrong.mean()), "errors_at_zero": float(((gain > 0) != better).mean())},
    }
