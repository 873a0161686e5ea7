"""Nearest neighbours in frozen features: every test image is classified by the images of train and val."""

import numpy as np
import pyarrow as pa

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.evaluation.accuracy import Resampling, with_interval
from workflow_scripts.evaluation.downstream import Downstream
from workflow_scripts.models.nearest import nearest_classes

RESULTS = pa.schema(
    [
        *[("dataset", pa.string()), ("metric", pa.string())],
        *[(name, pa.float64()) for name in ("value", "low", "high")],
        *[("n", pa.int64()), ("bank", pa.int64())],
    ]
)


def knn(data: Downstream, neighbours: int, temperature: float, device: str) -> np.ndarray:
    """Classes of the rows of the test split, in order: (t,) int32.

    Nothing is tuned, so validation images vote too, as they are fitted by the tested linear probe.

    Raises:
        PipelineError: the test split, or train and val together, are empty.
    """
    bank, test = data.rows("train", "val"), data.rows("test")
    for split, rows in (("train and val", bank), ("test", test)):
        if not len(rows):
            raise PipelineError("empty split", f"dataset {data.name}", split, "give the dataset more images")
    features, labels = data.features, data.labels
    sides = features[bank], labels[bank], features[test]
    if device == "cpu":
        return nearest_classes(*sides, neighbours, temperature).astype(np.int32)
    # Importing torch takes longer than classifying a small set; only a GPU needs it.
    from workflow_scripts.models.nearest_torch import nearest_classes_on

    return nearest_classes_on(device, *sides, neighbours, temperature).astype(np.int32)


def results_table(data: Downstream, predicted: np.ndarray, resampling: Resampling) -> pa.Table:
    """One row: dataset, metric, value, low, high, n (test images), bank (images that vote)."""
    score = with_interval(predicted, data, resampling)
    row = (data.name, data.metric, *score, len(predicted), len(data.rows("train", "val")))
    return pa.Table.from_pylist([dict(zip(RESULTS.names, row, strict=True))], RESULTS)


def predictions_table(data: Downstream, predicted: np.ndarray) -> pa.Table:
    """One row per test image: dataset, key, label, predicted, correct."""
    test = data.rows("test")
    labels = data.labels[test].astype(np.int32)
    return pa.table(
        {
            "dataset": pa.array([data.name] * len(test), pa.string()),
            "key": pa.array(data.keys[test].tolist(), pa.string()),
            "label": labels,
            "predicted": predicted,
            "correct": pa.array(predicted == labels),
        }
    )
