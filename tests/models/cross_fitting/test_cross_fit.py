"""Cross-fitted ridge regressions."""

from pathlib import Path

import numpy as np
import pytest

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.models.cross_fitting.captioned_photos import CaptionedPhotos
from workflow_scripts.models.cross_fitting.cross_fit import PENALTIES, cross_fit

COUNT, FOLDS = 40, 4


def photos(seed: int = 0, count: int = COUNT) -> CaptionedPhotos:
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(count, 6)).astype(np.float32)
    vectors = features @ rng.normal(size=(6, 3)) + rng.normal(size=(count, 3))
    return CaptionedPhotos(Path("photos"), [f"{n:02d}" for n in range(count)], features, vectors.astype(np.float32))


def ridge(x: np.ndarray, y: np.ndarray, penalty: float, new: np.ndarray) -> np.ndarray:
    """Closed form on standardised features, with an intercept that is not penalised."""
    mean, spread = x.mean(0), x.std(0)
    z = (x - mean) / spread
    weights = np.linalg.solve(z.T @ z + penalty * np.eye(z.shape[1]), z.T @ (y - y.mean(0)))
    return np.asarray((new - mean) / spread @ weights + y.mean(0))


def leave_one_out(x: np.ndarray, y: np.ndarray, penalty: float) -> float:
    """Mean squared error of photos whose row is left out of the sums, with the scale of all of them."""
    z, n = (x - x.mean(0)) / x.std(0), len(x)
    errors = []
    for row in range(n):
        rest = np.arange(n) != row
        mean = z[rest].mean(0)
        centred = z[rest] - mean
        weights = np.linalg.solve(
            centred.T @ centred + penalty * np.eye(z.shape[1]), centred.T @ (y[rest] - y[rest].mean(0))
        )
        errors.append((z[row] - mean) @ weights + y[rest].mean(0) - y[row])
    return float(np.square(errors).mean())


def test_predictions_in_closed_form() -> None:
    given = photos()
    fitted = cross_fit(given, FOLDS)
    x, y = given.features.astype(float), given.vectors.astype(float)
    new = np.random.default_rng(5).normal(size=(3, 6)).astype(np.float32)
    found = fitted.predict(np.concatenate([given.features, new]), [*given.hashes, "x", "y", "z"])
    assert found.dtype == np.float32 and found.shape == (COUNT + 3, 3)
    means = []
    for fold in range(FOLDS):
        rest = np.arange(COUNT) % FOLDS != fold
        penalty = min(PENALTIES, key=lambda one: leave_one_out(x[rest], y[rest], one))
        predicted = ridge(x[rest], y[rest], penalty, np.concatenate([x[~rest], new]))
        np.testing.assert_allclose(found[:COUNT][~rest], predicted[:-3], rtol=1e-3, atol=1e-4)
        means.append(predicted[-3:])
    np.testing.assert_allclose(found[COUNT:], np.mean(means, axis=0), rtol=1e-3, atol=1e-4)


def test_a_photo_s_own_captions_do_not_change_its_prediction() -> None:
    given = photos()
    before = cross_fit(given, FOLDS).predict(given.features, given.hashes)
    given.vectors[7] += 100
    after = cross_fit(given, FOLDS).predict(given.features, given.hashes)
    same = np.arange(COUNT) % FOLDS == 7 % FOLDS
    np.testing.assert_array_equal(before[same], after[same])
    assert (np.abs(before - after)[~same].max(axis=1) > 0.1).all()


def test_the_order_of_photos_does_not_matter() -> None:
    given = photos()
    turned = CaptionedPhotos(given.folder, given.hashes[::-1], given.features[::-1], given.vectors[::-1])
    first, second = (cross_fit(one, FOLDS).predict(given.features, given.hashes) for one in (given, turned))
    np.testing.assert_array_equal(first, second)


def test_too_few_photos() -> None:
    with pytest.raises(PipelineError, match=r"too few captioned photos .* 39 different ones; give at least 40"):
        cross_fit(photos(count=39), FOLDS)
