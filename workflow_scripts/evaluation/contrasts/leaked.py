"""Accuracy without the test images that are among the training images, from the saved results of each image."""

from collections.abc import Collection
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from workflow_scripts.core.artifact import Artifact
from workflow_scripts.core.declaration.result_names import WITHOUT_LEAKED
from workflow_scripts.evaluation.contrasts.series import Series, per_class


def read_leaked(check: Artifact) -> frozenset[str]:
    """Keys of the leaked test images of a dataset, from its artifact of the stage ``leakage``."""
    return frozenset(pq.read_table(check.path(".parquet"), columns=["test"])["test"].to_pylist())


def without(one: Series, keys: np.ndarray, leaked: Collection[str]) -> dict[str, Any] | None:
    """Dataset, metric, value and n of the images that are left; None if none is.

    The network and its classifier stay as they are; only the tested images change.

    Args:
        keys: (n,) of the series' images.
    """
    kept = ~np.isin(keys, list(leaked))
    if not kept.any():
        return None
    shares = per_class(one.labels[kept]) if one.metric.endswith("mean_per_class") else one.shares[kept]
    value = float(shares @ one.values[kept] / shares.sum())
    return {"dataset": one.dataset, "metric": f"{WITHOUT_LEAKED}{one.metric}", "value": value, "n": int(kept.sum())}
