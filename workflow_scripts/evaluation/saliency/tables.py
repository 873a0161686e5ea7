"""The tables of saliency evaluation."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from workflow_scripts.evaluation.saliency.correction import SCALES, Estimates, estimates
from workflow_scripts.evaluation.saliency.evaluate import SaliencyResult
from workflow_scripts.evaluation.saliency.maps.kinds import COMMON, KINDS, LAYERED
from workflow_scripts.evaluation.saliency.score_registry import SCORES
from workflow_scripts.evaluation.saliency.strata import strata
from workflow_scripts.stats.seeds import derive

IMAGES = pa.schema(
    [
        *[(name, pa.string()) for name in ("dataset", "key")],
        ("label", pa.int32()),
        *[(name, pa.float64()) for name in ("area", "centred")],
        *[(name, pa.string()) for name in ("layer", "target")],
        *[(name, pa.float64()) for name in SCORES],
    ]
)
RESULTS = pa.schema(
    [
        *[(name, pa.string()) for name in ("dataset", "layer", "target", "metric", "scale", "stratum", "upsampling")],
        *[(name, pa.float64()) for name in ("value", "low", "high")],
        *[("n", pa.int64()), ("constant_maps", pa.int64())],
    ]
)


def image_table(result: SaliencyResult) -> pa.Table:
    """One row per image and map, with a column per score; maps common to all layers have an empty ``layer``."""
    n, maps = len(result.keys), result.plan.maps
    columns = [
        [result.name] * (n * len(maps)),
        [key for key in result.keys for _ in maps],
        *(np.repeat(one, len(maps)) for one in (result.labels, result.survey.areas, result.survey.centred)),
        *([one[part] for one in maps] * n for part in (0, 1)),
        *result.scores.reshape(-1, len(SCORES)).T,
    ]
    return pa.table(columns, schema=IMAGES)


def result_table(result: SaliencyResult, resamples: int, level: float, seed: int) -> pa.Table:
    """One row per layer, stratum, scale, map and score; a map common to all layers has a row for each layer.

    All maps of a stratum share the resamples. ``constant_maps`` counts the maps of all images without contrast. A set
    without a scored image has no row; without a range between uniform map and oracle there are no corrected rows.
    """
    rows: list[dict[str, Any]] = []
    for layer in result.plan.layers:
        maps = [*((layer, kind) for kind in LAYERED), *(("", kind) for kind in COMMON)]
        scores = result.scores[None][:, :, [result.plan.maps.index(one) for one in maps]]
        for stratum, chosen in strata(result.survey.areas, result.survey.centred).items() if result.keys else ():
            head = {
                "dataset": result.name,
                "layer": layer,
                "stratum": stratum,
                "upsampling": result.plan.upsampling,
                "n": int(chosen.sum()),
            }
            kinds = [kind for _, kind in maps]
            drawn = derive(seed, "saliency", result.name, stratum)
            found = estimates(scores, result.labels, chosen, kinds, resamples, level, drawn)
            for row in _rows(found, kinds):
                constant = result.constant[layer if KINDS[row["target"]].layered else "", row["target"]]
                rows.append(head | row | {"constant_maps": constant})
    return pa.Table.from_pylist(rows, RESULTS)


def _rows(found: Estimates, kinds: list[str]) -> Iterator[dict[str, Any]]:
    for (scale, kind, metric), value in np.ndenumerate(found.values):
        if np.isfinite(value):
            ends = {"low": found.low[scale, kind, metric], "high": found.high[scale, kind, metric]}
            yield {
                **{"scale": SCALES[scale], "target": kinds[kind], "metric": list(SCORES)[metric]},
                **{
                    "value": float(value),
                    **{end: float(one) if np.isfinite(one) else None for end, one in ends.items()},
                },
            }
