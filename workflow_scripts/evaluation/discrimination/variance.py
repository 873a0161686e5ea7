"""How much of a metric's variance between runs is due to the model, to the seed, and to the images.

Runs r of models m with several seeds are scored on the same n images i: y_ri = mean + a_m + b_r + c_i + e_ri. A model
is a cell of the study (method, pairs, augmentation, backbone, step), b_r its seeds. The images' own level c_i is common
to all runs and cancels between them; what does not cancel is e_ri, of variance v_i. With y_r the mean of a run,

    v_i    = sum over runs and images of (y_ri - y_r. - y_.i + y_..)^2 / ((R - 1) (n - 1))
    MS_s   = sum over models and seeds of (y_r - y_m)^2 / (R - M)             expectation v_s + v_i / n
    MS_m   = sum over models of S_m (y_m - y)^2 / (M - 1)                     expectation v_s + v_i / n + k v_m
    k      = (R - sum of S_m^2 / R) / (M - 1)

    ICC    = v_m / (v_m + v_s + v_i / n),  v_m = max(0, (MS_m - MS_s) / k),  v_s + v_i / n = MS_s

which are the estimators of an unbalanced one-way layout (Searle, Casella and McCulloch 1992, Variance Components,
chapter 3.6). The interval is that of Thomas and Hultquist (1978, Ann. Stat. 6:582): F = H MS_u / MS_s with H the
harmonic mean of the S_m and MS_u the variance of the unweighted model means. It is exact for equal numbers of seeds.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import fdtri


class Components(NamedTuple):
    """Variances of a metric, and the share of the models.

    Attributes:
        images: n.
        model: v_m.
        seed: v_s, not below 0; nan if no model has two seeds, or for a single image.
        image: v_i, of one image; nan for a single run or image.
        icc: share of the models in the variance of a run's score; nan without an estimate of the seeds' variance.
        low: end of its interval.
        high: end of its interval.
    """

    images: int
    model: float
    seed: float
    image: float
    icc: float
    low: float
    high: float


def components(values: np.ndarray, models: np.ndarray, level: float) -> Components:
    """Variance components of scores.

    Args:
        values: (R, n) float, one row a run, the same images in each.
        models: (R,) int, the model of each run.
        level: confidence level of the interval.
    """
    values = values.astype(np.float64)
    runs, images = values.shape
    means = values.mean(axis=1)
    image = float("nan")
    if runs > 1 and images > 1:
        rest = values - means[:, None] - values.mean(axis=0) + values.mean()
        image = float(np.square(rest).sum() / ((runs - 1) * (images - 1)))
    _, index, sizes = np.unique(models, return_inverse=True, return_counts=True)
    count = len(sizes)
    if runs == count or count < 2:
        return Components(images, np.nan, np.nan, image, np.nan, np.nan, np.nan)
    by_model = np.bincount(index, means) / sizes
    within = float(np.square(means - by_model[index]).sum() / (runs - count))
    between = float(sizes @ np.square(by_model - means.mean()) / (count - 1))
    k = (runs - np.square(sizes).sum() / runs) / (count - 1)
    model = max(0.0, (between - within) / k)
    seed = float(np.maximum(0.0, within - image / images))  # keeps nan, which max() would turn into 0
    if within == 0:
        icc = float(between > 0)
        return Components(images, model, seed, image, icc, icc, icc)
    harmonic = count / np.sum(1 / sizes)
    ratio = harmonic * by_model.var(ddof=1) / within
    tail = (1 - level) / 2
    ends = [ratio / fdtri(count - 1, runs - count, q) for q in (1 - tail, tail)]
    low, high = (max(0.0, float((one - 1) / (one + harmonic - 1))) for one in ends)
    return Components(images, model, seed, image, model / (model + within), low, high)
