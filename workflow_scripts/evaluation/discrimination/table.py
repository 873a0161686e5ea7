"""How well each metric tells the runs of a study apart, on each set with masks."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from scipy.special import stdtr
from scipy.stats import rankdata

from workflow_scripts.core.declaration.result_names import EXTERNAL, SUPERVISED, UNTRAINED
from workflow_scripts.evaluation.contrasts.series import Series
from workflow_scripts.evaluation.discrimination.rule import (
    LEAST_ICC,
    LEAST_LEVELS,
    LEAST_MODELS,
    LEAST_RECOVERED,
    Discrimination,
)
from workflow_scripts.evaluation.discrimination.variance import Components, components
from workflow_scripts.evaluation.saliency.maps.kinds import is_compared

Scores = Mapping[tuple[str, str], Mapping[tuple[str, str], Series]]
DISCRIMINATION = pa.schema(
    [
        *[(name, pa.string()) for name in ("dataset", "metric")],
        *[(name, pa.int64()) for name in ("models", "runs", "images")],
        *[(name, pa.float64()) for name in ("var_model", "var_seed", "var_image", "icc", "low", "high")],
        *[(name, pa.int64()) for name in ("levels", "orderings")],
        ("recovered", pa.float64()),
        *[(name, pa.float64()) for name in ("spearman", "partial_r2", "p_partial")],
        *[(name, pa.string()) for name in ("verdict", "reason", "beyond_probe")],
    ]
)
YES, NO, OPEN = "tells models apart", "does not tell models apart", "inconclusive"


class Gain(NamedTuple):
    """Partial R^2 of a metric, its coefficient and the p-value of that; nan without enough runs, values or variance."""

    share: float
    slope: float
    p: float


UNKNOWN = Gain(float("nan"), float("nan"), float("nan"))


def recovers(values: np.ndarray, orderings: Sequence[tuple[int, int]]) -> np.ndarray:
    """Whether ``values`` (..., R) have each of the known orderings (lower, higher): (..., n) 1, 0 or, of a tie, 0.5."""
    low, high = np.array(orderings).T
    return (np.sign(values[..., high] - values[..., low]) + 1) / 2


def spearman(first: np.ndarray, second: np.ndarray) -> float:
    """Rank correlation of (R,) values, ties with their mean rank; nan if one has no variance or R < 3."""
    if len(first) < 3 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return float("nan")
    return float(np.corrcoef(rankdata(first), rankdata(second))[0, 1])


def partial_r2(outcome: np.ndarray, known: np.ndarray, added: np.ndarray) -> Gain:
    """What ``added`` explains of an outcome beyond ``known``: (SSE of known - SSE of both) / SSE of known.

    Ordinary least squares with an intercept; the p-value is that of the added coefficient's t with R - 3 degrees of
    freedom (two-sided).

    Args:
        outcome, known, added: (R,) float.
    """
    runs = len(outcome)
    if runs < 4 or not np.isfinite([outcome, known, added]).all() or np.ptp(added) == 0:
        return UNKNOWN
    base, _ = _fit(outcome, known[:, None])
    both, slope = _fit(outcome, np.column_stack([known, added]))
    if base <= 1e-12 * max(1.0, float(np.square(outcome).sum())):
        return UNKNOWN  # the probe explains everything
    share = min(1.0, max(0.0, (base - both) / base))
    if share == 1:
        return Gain(share, slope, 0.0)
    t = np.sqrt(share * (runs - 3) / (1 - share))
    return Gain(share, slope, float(2 * stdtr(runs - 3, -t)))


def _fit(outcome: np.ndarray, columns: np.ndarray) -> tuple[float, float]:
    """SSE of ordinary least squares with an intercept, and the coefficient of the last column."""
    design = np.column_stack([np.ones(len(outcome)), columns])
    solution = np.linalg.lstsq(design, outcome, rcond=None)[0]
    return float(np.square(outcome - design @ solution).sum()), float(solution[-1])


class Finding(NamedTuple):
    """A verdict, why, and whether the metric says more than the probe; None where there is nothing to compare."""

    verdict: str
    reason: str
    beyond_probe: str | None


def finding(found: Components, models: int, levels: int, share: float, gain: Gain | None, level: float) -> Finding:
    """The verdict on one metric; docs/saliency.md states the rule in words.

    Args:
        models: compared.
        levels: different known levels of these.
        share: of known orderings that the metric recovers; nan without any.
        gain: of the metric beyond the probe; None of the probe itself.
        level: of confidence.
    """
    beyond = None
    if gain is not None:
        beyond = "not shown"
        if gain.p < 1 - level:
            beyond = "yes" if gain.slope > 0 else "in the wrong direction"
    verdict, reason = _verdict(found, models, levels, share)
    return Finding(verdict, reason, beyond)


def _verdict(found: Components, models: int, levels: int, share: float) -> tuple[str, str]:
    if models < LEAST_MODELS:
        return OPEN, f"models: {models}; {LEAST_MODELS} are required"
    if levels < LEAST_LEVELS:
        return OPEN, f"known levels: {levels}; {LEAST_LEVELS} are required"
    if not found.icc >= 0:
        return OPEN, "no model has several seeds"
    if not share >= 0:
        return OPEN, "no order of runs is known"
    if found.low > LEAST_ICC and share >= LEAST_RECOVERED:
        return YES, ""
    if found.high < LEAST_ICC:
        return NO, "the interval of the ICC lies below the bound"
    if found.low > LEAST_ICC:
        return NO, "models differ, but not in the known order"
    return OPEN, "the interval of the ICC includes the bound"


class Checkpoint(NamedTuple):
    """A run at a step, with what is known of it.

    Attributes:
        model: what checkpoints that differ in their seed alone share.
        kind: what checkpoints that differ in their pairs alone share.
        dose: share of faithful captions of its pairs; nan if it is unknown.
        place: of the step among the run's, ascending.
    """

    run: str
    step: str
    backbone: str
    is_external: bool
    model: tuple[str, ...]
    kind: tuple[Any, ...]
    dose: float
    place: int


def checkpoints(rows: Sequence[Mapping[str, Any]], scores: Scores, doses: Mapping[str, float]) -> list[Checkpoint]:
    """The checkpoints of the summary's rows that have scores.

    ``best`` is left out, which may equal a numbered step; and so are untrained and supervised networks, which differ
    from all others so much that nearly any metric tells them apart.

    Args:
        doses: share of faithful captions by pair table.
    """
    found: dict[tuple[str, str], Mapping[str, Any]] = {}
    for row in rows:
        is_extreme = row["method"] in (UNTRAINED, SUPERVISED)
        if (row["run"], row["step"]) in scores and row["step"] != "best" and not is_extreme:
            found.setdefault((row["run"], row["step"]), row)
    order = sorted({step for _, step in found}, key=lambda step: (step == "last", step))
    cell = ("method", "augmentation", "backbone", "tag")
    listed = []
    for (run, step), row in found.items():
        model, kind = ((*(row[name] for name in (*cell, other)), step) for other in ("pairs", "seed"))
        is_external, dose = row["method"] == EXTERNAL, doses.get(row["pairs"], np.nan)
        listed.append(Checkpoint(run, step, row["backbone"], is_external, model, kind, dose, order.index(step)))
    return listed


def known_orderings(found: Sequence[Checkpoint], stated: Sequence[tuple[str, str]] = ()) -> list[tuple[int, int]]:
    """Places (lower, higher): an early step < a later one of the same run, and a smaller dose < a larger one.

    Doses are compared between checkpoints that differ in their pairs alone.

    Args:
        stated: further orderings of backbones or networks, with any tag, at the last step of their runs.
    """
    last = max((one.place for one in found), default=0)
    pairs = []
    for low, one in enumerate(found):
        for high, other in enumerate(found):
            is_stated = (one.backbone, other.backbone) in stated and one.place == other.place == last
            is_earlier = one.run == other.run and one.place < other.place
            is_less_faithful = one.kind == other.kind and one.dose < other.dose
            if is_stated or is_earlier or is_less_faithful:
                pairs.append((low, high))
    return pairs


def discrimination_rows(
    scores: Scores, summary: Sequence[Mapping[str, Any]], probe: str, rule: Discrimination
) -> Iterator[dict[str, Any]]:
    """Rows of :data:`DISCRIMINATION`: for each set, the saliency of the runs' own maps, and accuracies beside it.

    Args:
        scores: by run and step, and by family and set.
        summary: rows of the study's summary, for what is known of runs.
        probe: family of the probe's accuracy, with which other metrics are compared.
    """
    runs = checkpoints(summary, scores, rule.doses)
    metrics = dict.fromkeys(metric for run in runs for metric in scores[run.run, run.step] if is_compared(metric[0]))
    masked = {dataset for family, dataset in metrics if family.startswith("saliency.")}
    for metric in metrics:
        scored = [run for run in runs if metric in scores[run.run, run.step]]
        if metric[1] in masked and len(scored) > 1:
            yield _row(scores, scored, metric, (probe, metric[1]), rule)


def _row(
    scores: Scores, runs: Sequence[Checkpoint], metric: tuple[str, str], probe: tuple[str, str], rule: Discrimination
) -> dict[str, Any]:
    series = [scores[run.run, run.step][metric] for run in runs]
    shares = series[0].shares * len(series[0].shares)  # 1 on average, so that the mean is the metric
    values = np.stack([one.values for one in series]) * shares
    models = list(dict.fromkeys(run.model for run in runs))
    variances = components(values, np.array([models.index(run.model) for run in runs]), rule.level)
    means, orderings = values.mean(axis=1), known_orderings(runs, rule.stated)
    probed = [scores[run.run, run.step].get(probe) for run in runs]
    accuracy = np.array([np.nan if one is None else one.value for one in probed])
    is_beside_probe = metric != probe and bool(np.isfinite(accuracy).all())
    levels = known_levels(runs, rule.stated)
    known = np.isfinite(levels)
    gain = partial_r2(levels[known], accuracy[known], means[known]) if is_beside_probe else UNKNOWN
    correlation = spearman(means, accuracy) if is_beside_probe else float("nan")
    share = float(recovers(means, orderings).mean()) if orderings else float("nan")
    heights = len(np.unique(levels[known]))
    verdict = finding(variances, len(models), heights, share, None if metric == probe else gain, rule.level)
    head, found = (metric[1], metric[0], len(models), len(runs)), (heights, len(orderings), share, correlation)
    row = (*head, *variances, *found, gain.share, gain.p, *verdict)
    finite = (None if isinstance(value, float) and not np.isfinite(value) else value for value in row)
    return dict(zip(DISCRIMINATION.names, finite, strict=True))


def known_levels(found: Sequence[Checkpoint], stated: Sequence[tuple[str, str]]) -> np.ndarray:
    """The known level of each checkpoint, (R,) float64, in steps of one; nan for an external network of no ordering.

    Levels rise by one with each step of a training and with each dose. Networks of a stated ordering start at 0, and
    the higher ones are raised above all last steps of the lower ones.
    """
    last = max((one.place for one in found), default=0)
    named = {name for pair in stated for name in pair}
    doses = sorted({one.dose for one in found if np.isfinite(one.dose)})
    levels = np.array([_level(one, doses, named) for one in found])
    ends = {name: [at for at, one in enumerate(found) if one.backbone == name and one.place == last] for name in named}
    for _ in named:  # orderings have no cycle, so this reaches the end of every chain
        for low, high in stated:
            if ends[low] and ends[high]:
                levels[ends[high]] = np.maximum(levels[ends[high]], levels[ends[low]].max() + 1)
    return levels


def _level(one: Checkpoint, doses: Sequence[float], named: set[str]) -> float:
    if one.is_external:
        return 0 if one.backbone in named else np.nan
    return one.place + (doses.index(one.dose) if one.dose in doses else 0)
