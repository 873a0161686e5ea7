"""The tables of a linear probe."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from workflow_scripts.evaluation.downstream import Downstream
from workflow_scripts.evaluation.linear_probe.probe import ProbeResult

RESULTS = pa.schema(
    [
        *[(name, pa.string()) for name in ("dataset", "objective", "metric")],
        *[(name, pa.float64()) for name in ("value", "low", "high")],
        *[("n", pa.int64()), ("best_c", pa.float64())],
    ]
)
Probed = tuple[Downstream, str, ProbeResult]


def results_table(results: Sequence[Probed]) -> pa.Table:
    """One row per set and objective: dataset, objective, metric, value, low, high, n (test images), best_c."""
    rows = [
        (data.name, objective, data.metric, *found.score, len(found.predicted), found.cost)
        for data, objective, found in results
    ]
    return pa.table(list(zip(*rows, strict=True)), schema=RESULTS)


def predictions_table(results: Sequence[Probed]) -> pa.Table:
    """One row per set, objective and test image: dataset, objective, key, label, predicted, correct."""
    parts = []
    for data, objective, found in results:
        test = data.rows("test")
        labels = data.labels[test].astype(np.int32)
        parts.append(
            pa.table(
                {
                    "dataset": pa.array([data.name] * len(test), pa.string()),
                    "objective": pa.array([objective] * len(test), pa.string()),
                    "key": pa.array(data.keys[test].tolist(), pa.string()),
                    "label": labels,
                    "predicted": found.predicted,
                    "correct": pa.array(found.predicted == labels),
                }
            )
        )
    return pa.concat_tables(parts)
