"""How well two grey pictures agree once one is laid over the other, scaled and shifted until they correlate most.

The iteration is that of Lucas and Kanade (1981) on normalised pictures, which maximises the correlation as ECC does
(Evangelidis and Psarakis 2008, "Parametric Image Alignment Using Enhanced Correlation Coefficient Maximization").
A place (sx, sy, tx, ty) says where the second picture lies in the first: (x, y) of the second, from -1 to 1, is at
(sx x + tx, sy y + ty) of the first.
"""

from typing import NamedTuple

import numpy as np

from workflow_scripts.evaluation.leakage.fingerprints import CORNERS

STEPS = 5  # at each of the two sizes
WORTHWHILE = 0.7  # correlation before the first step below which pictures are not aligned, which saves time
OVERLAP = 0.6  # least share of the second picture that lies in the first
SCALES, SHIFTS = (0.6, 1.6), (-0.6, 0.6)
DAMPING = 1e-3
AT_ONCE = 256
DIGITS = 6  # of correlations


class Fit(NamedTuple):
    """How pairs of pictures fit.

    Attributes:
        correlation: (n,) float64, -1 to 1.
        area: (n,) float64, the area of the second picture as a share of the first.
    """

    correlation: np.ndarray
    area: np.ndarray


def fit(first: np.ndarray, second: np.ndarray, places: np.ndarray) -> Fit:
    """The best fit of each pair of pictures near a place.

    Args:
        first: (n, 32, 32) grey levels of any type.
        second: likewise.
        places: (n, 4), where the alignment starts.
    """
    parts = [slice(start, start + AT_ONCE) for start in range(0, len(first), AT_ONCE)]
    found = [_aligned(first[part].astype(float), second[part].astype(float), places[part]) for part in parts]
    return Fit(*(np.concatenate(column) for column in zip(*found, strict=True))) if found else Fit(*np.zeros((2, 0)))


def places_of(side: float) -> np.ndarray:
    """Places of a whole picture and of five crops with this share of its sides at ``CORNERS``: (6, 4)."""
    rest = 1 - side
    return np.array([(1, 1, 0, 0), *[(side, side, (2 * x - 1) * rest, (2 * y - 1) * rest) for x, y in CORNERS]])


def inverse(places: np.ndarray) -> np.ndarray:
    """Where the first picture lies in the second, from where the second lies in the first: (n, 4)."""
    return np.concatenate([1 / places[:, :2], -places[:, 2:] / places[:, :2]], axis=1)


def turned(pictures: np.ndarray, mirrored: np.ndarray) -> np.ndarray:
    """Copies of pictures (n, 32, 32), of which some (n, bool) are mirrored."""
    return np.where(mirrored[:, None, None], pictures[:, :, ::-1], pictures)


def _aligned(first: np.ndarray, second: np.ndarray, places: np.ndarray) -> Fit:
    small = _halved(first), _halved(second)
    places, found = _climb(*small, places, 0)
    near = np.flatnonzero(found >= WORTHWHILE)
    if len(near):
        better, _ = _climb(small[0][near], small[1][near], places[near], STEPS)
        places[near], found[near] = _climb(first[near], second[near], better, STEPS)
    return Fit(np.round(found, DIGITS), places[:, 0] * places[:, 1])


def _halved(pictures: np.ndarray) -> np.ndarray:
    n, side, _ = pictures.shape
    return pictures.reshape(n, side // 2, 2, side // 2, 2).mean(axis=(2, 4))


def _climb(first: np.ndarray, second: np.ndarray, places: np.ndarray, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """The best places within some steps, and the correlations there."""
    side = first.shape[1]
    line = (np.arange(side) + 0.5) / side * 2 - 1
    x, y = np.broadcast_to(line, (side, side)), np.broadcast_to(line[:, None], (side, side))
    best, highest = places.copy(), np.full(len(first), -1.0)
    for step in range(steps + 1):
        sx, sy, tx, ty = places.T[:, :, None, None]
        shown, across, down, inside = _sampled(first, sx * x + tx, sy * y + ty)
        one, spread = _normalised(shown, inside)
        two, _ = _normalised(second, inside)
        share = inside.mean(axis=(1, 2))
        now = np.where(share >= OVERLAP, (one * two).mean(axis=(1, 2)) / np.maximum(share, 1e-9), -1.0)
        better = now > highest
        highest[better], best[better] = now[better], places[better]
        if step < steps:
            slopes = [slope * inside / spread for slope in (across * x, down * y, across, down)]
            places = _moved(places, slopes, one, two - one, inside)
    return best, highest


def _sampled(pictures: np.ndarray, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, ...]:
    """Grey levels between pixels, their slopes across and down per unit of x and y, and which lie in the picture."""
    n, side, _ = pictures.shape
    inside = (abs(x) <= 1) & (abs(y) <= 1)
    columns, rows = (np.clip((at + 1) / 2 * side - 0.5, 0, side - 1) for at in (x, y))
    left, top = (np.minimum(at.astype(int), side - 2) for at in (columns, rows))
    right, low = columns - left, rows - top
    flat, at = pictures.reshape(-1), (np.arange(n)[:, None, None] * side + top) * side + left
    a, b, c, d = (flat[at + shift] for shift in (0, 1, side, side + 1))
    upper, lower = a + (b - a) * right, c + (d - c) * right
    across, down = (b - a) * (1 - low) + (d - c) * low, lower - upper
    return upper + down * low, across * (side / 2), down * (side / 2), inside.astype(float)


def _normalised(pictures: np.ndarray, inside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pictures with mean 0 and variance 1 where they overlap and 0 elsewhere, and their standard deviations."""
    pixels = np.maximum(inside.sum(axis=(1, 2), keepdims=True), 1)
    centred = (pictures - (pictures * inside).sum(axis=(1, 2), keepdims=True) / pixels) * inside
    spread = np.maximum(np.sqrt((centred**2).sum(axis=(1, 2), keepdims=True) / pixels), 1e-6)
    return centred / spread, spread


def _moved(
    places: np.ndarray, slopes: list[np.ndarray], one: np.ndarray, rest: np.ndarray, inside: np.ndarray
) -> np.ndarray:
    """Places after a Gauss-Newton step; slopes are those of ``one``, less what normalising it undoes."""
    n = len(places)
    pixels = np.maximum(inside.sum(axis=(1, 2)), 1)[:, None, None]
    jacobian = np.stack([slope.reshape(n, -1) for slope in slopes], axis=1)
    flat, mask = one.reshape(n, 1, -1), inside.reshape(n, 1, -1)
    jacobian -= jacobian.sum(axis=2, keepdims=True) / pixels * mask
    jacobian -= (jacobian * flat).sum(axis=2, keepdims=True) / pixels * flat
    curvature = jacobian @ jacobian.transpose(0, 2, 1) + DAMPING * one[0].size * np.eye(4)
    step = np.linalg.solve(curvature, jacobian @ rest.reshape(n, -1, 1))[:, :, 0]
    moved = places + np.clip(step, -0.1, 0.1)
    return np.concatenate([np.clip(moved[:, :2], *SCALES), np.clip(moved[:, 2:], *SHIFTS)], axis=1)
