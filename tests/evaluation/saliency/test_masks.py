import numpy as np
import pytest

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.evaluation.saliency.masks import check_mask


def test_masks_are_checked() -> None:
    good = np.array([[0, 1], [255, 0]], np.uint8)
    assert check_mask(good, "x", "k") is good
    for bad in (np.array([[0, 3]], np.uint8), np.zeros((2, 2, 3), np.uint8)):
        with pytest.raises(PipelineError, match="invalid object mask in x: k"):
            check_mask(bad, "x", "k")
