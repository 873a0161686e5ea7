"""Values of an object mask, and what lies close to its object."""

import numpy as np

from workflow_scripts.core.errors import PipelineError

BACKGROUND, OBJECT, IGNORE = 0, 1, 255


def check_mask(mask: np.ndarray, where: str, key: str) -> np.ndarray:
    """``mask`` if it is two-dimensional and holds only 0, 1 and 255.

    Raises:
        PipelineError: otherwise.
    """
    strange = sorted(set(np.unique(mask).tolist()) - {BACKGROUND, OBJECT, IGNORE}) if mask.ndim == 2 else mask.shape
    if strange:
        advice = "use greyscale masks with 0 (background), 1 (object) and 255 (ignore)"
        raise PipelineError("invalid object mask", where, f"{key}: {strange}", advice)
    return mask


def near_object(mask: np.ndarray, tolerance: float) -> np.ndarray:
    """Pixels of a mask (h, w) within ``tolerance`` pixels of an object pixel, the object included: (h, w) bool."""
    from scipy.ndimage import distance_transform_edt  # half a second

    return np.asarray(distance_transform_edt(mask != OBJECT) <= tolerance)
