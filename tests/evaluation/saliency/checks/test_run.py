from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from workflow_scripts.evaluation.saliency.checks.run import CheckPlan, _mean_row

PLAN = CheckPlan((50,), "bilinear", 100, 0.95, 0, "cpu")


def mean_row(values: list[float], labels: list[int]) -> dict[str, Any]:
    given: Any = SimpleNamespace(checked=SimpleNamespace(labels=np.array(labels)))
    return _mean_row(given, PLAN, np.array(values), "cascade", "conv1", "Spearman")


def test_only_images_with_a_value_count() -> None:
    row = mean_row([0.2, np.nan, 0.4, 0.6], [0, 0, 1, 1])
    assert (row["n"], row["value"]) == (3, pytest.approx(0.4))
    assert row["low"] < row["value"] < row["high"]


def test_a_bound_that_is_missing_is_not_zero() -> None:
    row = mean_row([0.2, 0.4, np.nan], [0, 0, 1])
    assert (row["n"], row["value"], row["low"], row["high"]) == (2, pytest.approx(0.3), None, None)
    row = mean_row([np.nan, np.nan], [0, 1])
    assert (row["n"], row["value"], row["low"], row["high"]) == (0, None, None, None)
