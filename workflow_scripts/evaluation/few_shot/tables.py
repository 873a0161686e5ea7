"""The tables of few-shot evaluation."""

from collections.abc import Sequence

import pyarrow as pa

from workflow_scripts.evaluation.downstream import Downstream
from workflow_scripts.evaluation.few_shot.score import FewShotResult

SCHEMA = pa.schema(
    [
        *[("dataset", pa.string()), ("metric", pa.string())],
        *[(name, pa.float64()) for name in ("value", "low", "high", "standard_error")],
        *[(name, pa.int64()) for name in ("n", "ways", "classes", "classes_left_out")],
    ]
)
EPISODES = pa.schema([("dataset", pa.string()), ("episode", pa.int32()), ("accuracy", pa.float64())])


def results_table(results: Sequence[tuple[Downstream, FewShotResult]]) -> pa.Table:
    """One row per set; ``n`` episodes of ``ways`` classes, drawn from ``classes`` that have enough images."""
    rows = [
        {
            **{"dataset": data.name, "metric": "accuracy", "value": found.score.value, "low": found.score.low},
            **{"high": found.score.high, "standard_error": found.standard_error, "n": len(found.accuracy)},
            **{"ways": found.ways, "classes": found.classes, "classes_left_out": len(data.classes) - found.classes},
        }
        for data, found in results
    ]
    return pa.Table.from_pylist(rows, SCHEMA)


def episodes_table(results: Sequence[tuple[Downstream, FewShotResult]]) -> pa.Table:
    """One row per set and episode."""
    parts = [
        pa.table([[data.name] * len(found.accuracy), range(len(found.accuracy)), found.accuracy], schema=EPISODES)
        for data, found in results
    ]
    return pa.concat_tables([EPISODES.empty_table(), *parts])
