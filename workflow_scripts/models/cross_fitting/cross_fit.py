"""Ridge regressions of which none has seen the photos that it predicts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.models.cross_fitting.captioned_photos import CaptionedPhotos

FEWEST = 10  # photos per fold
PENALTIES = np.logspace(0, 6, 13)  # of features with mean 0 and deviation 1


@dataclass(frozen=True)
class CrossFitted:
    """Regressions, one per fold.

    Attributes:
        models: fitted estimators of scikit-learn.
        fold: the hash of each photo -> the regression that was fitted without it.
    """

    models: Sequence[Any]
    fold: Mapping[str, int]

    def predict(self, features: np.ndarray, hashes: Sequence[str]) -> np.ndarray:
        """(n, w) features of images with these hashes -> (n, d) float32: of other images the mean of all models."""
        each = np.stack([model.predict(features) for model in self.models])
        found = each.mean(axis=0)
        for row, name in enumerate(hashes):
            if name in self.fold:
                found[row] = each[self.fold[name], row]
        return found.astype(np.float32)


def cross_fit(photos: CaptionedPhotos, folds: int) -> CrossFitted:
    """Fit a regression of caption vectors on features without each of the folds, which the photos' hashes make.

    The penalty is the one of :data:`PENALTIES` with the smallest leave-one-out error on the photos of the fit, as
    scikit-learn's ``RidgeCV`` computes it in closed form.

    Raises:
        PipelineError: too few photos.
    """
    if len(photos.hashes) < FEWEST * folds:
        advice = f"give at least {FEWEST * folds} (better a thousand), or lower folds, which is {folds}"
        raise PipelineError("too few captioned photos", photos.folder, f"{len(photos.hashes)} different ones", advice)
    order = np.argsort(photos.hashes)
    features, vectors = photos.features[order], photos.vectors[order]
    fold = np.arange(len(order)) % folds
    models = [
        make_pipeline(StandardScaler(), RidgeCV(PENALTIES)).fit(features[fold != one], vectors[fold != one])
        for one in range(folds)
    ]
    return CrossFitted(models, {photos.hashes[row]: int(one) for row, one in zip(order, fold, strict=True)})
