"""Histograms that also handle constant, nearly constant, missing and non-finite values."""

from typing import Any

import numpy as np

BINS = 50
NARROW = 1e-6  # a range narrower than that, relative to its values, is drawn as one bar: no 50 floats fit between


def histogram(axes: Any, values: np.ndarray, **style: Any) -> None:
    """Draw the finite ones of ``values`` on matplotlib ``axes``; ``style`` is that of ``Axes.hist``."""
    known = np.asarray(values, dtype=np.float64)
    known = known[np.isfinite(known)]
    low, high = (known.min(), known.max()) if len(known) else (0.0, 1.0)
    if high - low <= NARROW * max(1.0, abs(low), abs(high)):
        margin = 0.5 * max(1.0, abs(low))
        low, high = low - margin, high + margin
    axes.hist(known, bins=BINS, range=(low, high), **style)
