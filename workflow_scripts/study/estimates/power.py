"""The smallest effects that a study can find on its primary contrasts, by the rule of verdicts, before anything runs.

They follow from deviations between seeds, assumed or measured; those between classes and images come on top. A contrast
whose standard error is e finds an effect if a noncentral t, with noncentrality effect / e, exceeds the critical value.
That is at 5 % divided by the number of primary contrasts, Holm's first step, and moderated variances are larger than
true ones (:func:`~workflow_scripts.stats.moderation.expected_seed_part`). Of n tests that must all be passed
(objectives of the linear probe, both sides of an equivalence), each is passed with probability 1 - 0.2 / n, so that all
are with at least 0.8, however they depend on one another.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.special import nctdtrinc, stdtrit

from workflow_scripts.core.artifact import MANIFEST, Artifact, repair_advice
from workflow_scripts.core.declaration.result_names import MEAN
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.evaluation.contrasts.comparisons import Comparison, arm_weights, common_seeds, judged, planned
from workflow_scripts.evaluation.contrasts.settings import SummaryRun
from workflow_scripts.evaluation.contrasts.verdicts import ALPHA, FEWEST_OBJECTIVES
from workflow_scripts.reporting.terms import ACCURACIES
from workflow_scripts.stats.moderation import FEWEST_ARMS, expected_seed_part
from workflow_scripts.stats.random_effects import FEWEST_SEEDS, POWER, Part
from workflow_scripts.study.config.runs import summarised
from workflow_scripts.study.estimates.cost import ASSUMED_TESTED, dataset_contents, folder_contents
from workflow_scripts.study.units import Units

OF_ARM = ("method", "pairs", "augmentation", "backbone", "tag")
ASSUMED = (0.3, 0.6)
"""Deviations between seeds of one network's mean over sets, in percentage points."""
MOST_SEEDS = 100
MEANING = {"difference": "difference", "slope": "slope, per unit of at", "equivalence": "margin of equivalence"}
NO_SET = "no labelled set"
SCOPE = (
    "These figures are from deviations between seeds alone: those between classes and images make them larger, often "
    "by far. What a seed does to both sides makes figures from assumed deviations smaller (docs/power.md)."
)


class Power(NamedTuple):
    """What a study can find on a primary contrast.

    Attributes:
        arms: how many moderate the variance between seeds.
        effect: the smallest one that is found in 80 % of studies, if seeds deviate by 1; of an equivalence the margin.
        reason: why there is no such effect, or none is estimated; empty if there is.
        least: that effect for another number of seeds.
    """

    comparison: Comparison
    seeds: int
    arms: int = 0
    effect: float = np.inf
    reason: str = ""
    least: Callable[[int], float] = lambda seeds: np.inf

    @property
    def name(self) -> str:
        """The contrast's, with the tag of its runs if they have one."""
        return " ".join(filter(None, (self.comparison.contrast.name, self.comparison.tag)))

    @property
    def step(self) -> str:
        """The checkpoint that is evaluated."""
        return self.comparison.sides[0].step

    @property
    def compares(self) -> str:
        """Method, pairs and augmentation of the runs with positive and of those with negative weight."""
        named: dict[bool, dict[str, None]] = {True: {}, False: {}}
        for side in (side for side in self.comparison.sides if side.weight):
            named[side.weight > 0] |= {f"{run.method} {run.pairs} {run.augmentation}": None for run in side.runs}
        return " with ".join(map(", ".join, named.values()))

    def seeds_needed(self, wanted: float, deviation: float) -> str:
        """Fewest seeds with which an effect of ``wanted`` points is found (for a slope, over the range of at)."""
        unit = deviation * self.comparison.contrast.span
        found = (seeds for seeds in range(FEWEST_SEEDS, MOST_SEEDS + 1) if self.least(seeds) * unit <= wanted)
        return next((f"at least {seeds}" for seeds in found), f"more than {MOST_SEEDS}")


def powers(units: Units) -> list[Power]:
    """Of the study's primary contrasts."""
    runs = [SummaryRun.model_validate(one) for one in summarised(units.trainings)]
    primary = [one for one in planned(units.study.contrasts, (), runs) if one.primary]
    contrasts, how = judged(units.study.contrasts)
    others = [Comparison(one, how, (), "", "", "", "", "", (), ()) for one in contrasts if not one.of_runs]
    objectives, family = len(units.settings("linear_probe", {})["objectives"]), len(primary) + len(others)
    found = [
        power(one, runs, family, objectives) if _has_set(units, one) else Power(one, 0, reason=NO_SET)
        for one in primary
    ]
    reason = "not estimated, since its endpoint {} is not an accuracy of networks"
    return [*found, *(Power(one, 0, reason=reason.format(one.contrast.endpoint)) for one in others)]


def _has_set(units: Units, comparison: Comparison) -> bool:
    """Whether a set can decide a comparison: it is evaluated, and did not choose the checkpoints."""
    chose = {run.chosen.get(side.step) for side in comparison.sides for run in side.runs}
    return not chose.issuperset(units.reported)


def without_set(units: Units, found: Sequence[Power]) -> Iterator[PipelineError]:
    """A warning about those primary contrasts that no set of labelled photos can decide."""
    names = [one.name for one in found if one.reason == NO_SET]
    why = "every set has evaluate: false, or chose the checkpoint" if units.study.datasets else "it is empty"
    told = f"contrasts {', '.join(names)} get" if len(names) > 1 else f"contrast {', '.join(names)} gets"
    value = f"{why}, so {told} no verdict"
    if names:
        yield PipelineError(NO_SET, "datasets", value, "add a set (docs/your-own-data.md#labelled-photos)")


def power(comparison: Comparison, runs: Sequence[SummaryRun], family: int, objectives: int) -> Power:
    """Of one primary comparison.

    Args:
        runs: all of the study, whose arms moderate the variance.
        family: number of primary comparisons.
        objectives: how many of the linear probe are fitted.
    """
    seeds = len(common_seeds(comparison.sides))
    if reason := _no_effect(comparison, seeds, objectives):
        return Power(comparison, seeds, reason=f"none can be found, since {reason}")
    least = partial(_least, comparison, runs, family, objectives)
    effect, arms = least(seeds)
    return Power(comparison, seeds, arms, effect, least=lambda number: least(number)[0])


def _least(
    comparison: Comparison, runs: Sequence[SummaryRun], family: int, objectives: int, seeds: int
) -> tuple[float, int]:
    """The smallest effect if each of the compared arms had at least so many seeds, and the number of arms used."""
    contrast = comparison.contrast
    weights, steps = arm_weights(comparison.sides), {side.step for side in comparison.sides}
    counts = Counter(run.kind for run in runs if run.batch_size and steps <= {*run.steps})
    counts |= {kind: max(counts[kind], seeds) for kind in weights if kind in counts}
    arms = {kind: count for kind, count in counts.items() if count >= FEWEST_SEEDS}
    variance, arms_used = sum(weight**2 for weight in weights.values()) / seeds, 0
    part, freedom = Part(np.array(variance), seeds - 1.0), seeds - 1.0
    if len(steps) == 1 and len(arms) >= FEWEST_ARMS and weights.keys() <= arms.keys():
        of_arms, arms_used = np.array([weights.get(kind, 0.0) for kind in arms]), len(arms)
        part, freedom = expected_seed_part(np.array([*arms.values()]) - 1.0, of_arms, seeds)
    sides = 1 if contrast.margin is None else 2
    passed = 1 - (1 - POWER) / sides / (objectives if contrast.endpoint == "linear_probe" else 1)
    critical = stdtrit(part.freedom, 1 - ALPHA * sides / 2 / family) * np.sqrt(part.variance / variance)
    effect = float(nctdtrinc(freedom, 1 - passed, critical) * np.sqrt(variance))
    return effect, arms_used


def _no_effect(comparison: Comparison, seeds: int, objectives: int) -> str:
    """Why deviations between seeds say nothing about a contrast, or why it will have no verdict; empty if neither."""
    endpoint = comparison.contrast.endpoint
    networks = {(run.kind, side.step) for side in comparison.sides for run in side.runs}
    if comparison.unequal:
        return f"its runs differ in {' and '.join(comparison.unequal)}"
    if seeds < FEWEST_SEEDS:
        return f"its runs have fewer than {FEWEST_SEEDS} seeds in common"
    if len(networks) > len({kind for kind, _ in networks}):
        return "it compares checkpoints of the same networks, whose scores depend on one another"
    if not any(round(weight, 9) for weight in arm_weights(comparison.sides).values()):
        return "it compares runs with themselves"
    if endpoint == "linear_probe" and objectives < FEWEST_OBJECTIVES:
        return f"a verdict needs {FEWEST_OBJECTIVES} objectives of the linear probe"
    return ""


class Deviation(NamedTuple):
    """Measured deviation between seeds in percentage points, and how many networks of how many arms it is of.

    Attributes:
        points: without what a seed does to all arms alike.
        total: with it.
    """

    points: float
    total: float
    networks: int
    arms: int

    def of(self, power: Power) -> float:
        """What a contrast's rule counts: it pairs runs by seed, but arms moderate the whole variance of their own."""
        return self.total if power.arms else self.points


def measured(study: Path) -> dict[tuple[str, str], Deviation]:
    """By endpoint and checkpoint, from a study's summary: pooled over its trained arms of at least two seeds.

    They are those of the mean over sets, or of the only set, and of the objective that deviates most.

    Raises:
        PipelineError: there is no summary, or it is unreadable.
    """
    rows = [
        row
        for row in _rows(study, ".parquet", (*OF_ARM, "metric", "step", "dataset"), ("batch_size", "seed"), "value")
        if row["batch_size"]
    ]
    rows = [row for row in rows if row["metric"].split(".")[0] in ACCURACIES]
    sets = Counter(metric for metric, _ in {(row["metric"], row["dataset"]) for row in rows})
    scores: dict[tuple[str, str], dict[tuple[str, ...], dict[int, float]]] = {}
    for row in rows:
        if row["dataset"] == MEAN or sets[row["metric"]] == 1:
            arms = scores.setdefault((row["metric"], row["step"]), {})
            arms.setdefault(tuple(row[name] for name in OF_ARM), {})[row["seed"]] = 100 * row["value"]
    deviations: dict[tuple[str, str], Deviation] = {}
    for (metric, step), arms in scores.items():
        if several := [of_seeds for of_seeds in arms.values() if len(of_seeds) > 1]:
            one, key = _pooled(several), (metric.split(".")[0], step)
            other = deviations.get(key, one)
            deviations[key] = max(one, other)._replace(total=max(one.total, other.total))
    return deviations


def _rows(study: Path, suffix: str, texts: Sequence[str], integers: Sequence[str], number: str) -> list[dict[str, Any]]:
    """Columns of a table of a study's summary."""
    import pyarrow as pa

    from workflow_scripts.core.files.foreign import batches, readable

    summary = Artifact(study / "summary" / f"summary{MANIFEST}")
    columns = dict.fromkeys(texts, pa.string()) | dict.fromkeys(integers, pa.int64()) | {number: pa.float64()}
    with readable("unreadable summary", summary.manifest_path, repair_advice(summary.manifest_path)):
        return [row for batch in batches(summary.path(suffix), columns) for row in batch.to_pylist()]


def stated(study: Path) -> dict[tuple[str, ...], tuple[float, int]]:
    """Smallest detectable effects of a study's primary contrasts, as it states them, in points, with its seeds.

    By contrast, tag, endpoint and checkpoint. Of several objectives, the larger effect counts. Summaries of old
    versions have none.
    """
    found: dict[tuple[str, ...], tuple[float, int]] = {}
    with suppress(PipelineError):
        rows = _rows(
            study, ".contrasts.parquet", ("contrast", "tag", "metric", "step", "primary"), ("n",), "detectable"
        )
        for row in rows:
            if row["primary"] and row["metric"] and row["n"] and np.isfinite(row["detectable"] or np.inf):
                key = (row["contrast"], row["tag"], row["metric"].split(".")[0], row["step"])
                found[key] = max(found.get(key, (0.0, 0)), (100 * row["detectable"], row["n"]))
    return found


def _pooled(arms: Sequence[Mapping[int, float]]) -> Deviation:
    """Of scores by seed: what a mean of each arm leaves over, with and without an effect of each seed.

    Without seeds in common that effect is unknown, and part of both.
    """
    rows = [(arm, seed, score) for arm, of_seeds in enumerate(arms) for seed, score in of_seeds.items()]
    arm_of, seed_of, values = (np.array(column) for column in zip(*rows, strict=True))
    of_arm, of_seed = (1.0 * np.equal.outer(column, np.unique(column)) for column in (arm_of, seed_of))
    found = []
    for design in (of_arm, np.hstack([of_arm, of_seed])):
        fitted, _, rank, _ = np.linalg.lstsq(design, values)
        left = values - design @ fitted
        if rank < len(rows):
            found.append(float(np.sqrt(left @ left / (len(rows) - rank))))
    return Deviation(found[-1], found[0], len(rows), len(arms))


def too_little_power(found: Sequence[Power], wanted: float, deviation: float) -> Iterator[PipelineError]:
    """Warnings about primary contrasts that do not find ``smallest_effect``, or the margin of an equivalence.

    Args:
        deviation: between seeds, in percentage points.
    """
    for power in found:
        contrast = power.comparison.contrast
        margin, least = contrast.margin, power.effect * deviation * contrast.span
        if not power.reason and least > (margin or wanted):
            limit = f"smallest_effect is {wanted:g}" if margin is None else f"its margin is {margin:g}"
            over = " over the range of at" if contrast.test == "slope" else ""
            value = f"{least:.2f} points{over} are needed if only seeds deviate, by {deviation:.2g}, and {limit}"
            advice = "plan more seeds, test images or classes, a mean over more methods, or fewer primary contrasts"
            advice += " (faithful-pairs power)"
            yield PipelineError("too little power", f"contrast {power.name}", value, advice)


def table(
    found: Sequence[Power],
    deviations: Sequence[float],
    learned: Mapping[tuple[str, str], Deviation] | None = None,
    wanted: float | None = None,
) -> list[str]:
    """Lines of a Markdown table of the smallest effects, the reasons why there are none, and the seeds that are needed.

    Args:
        deviations: assumed ones between seeds, in percentage points.
        learned: those that were measured, by endpoint and checkpoint.
        wanted: the study's ``smallest_effect``.
    """
    known, can = learned or {}, [one for one in found if not one.reason]
    names = ["primary contrast", "effect", "seeds", "arms", *(f"sd {deviation:.3g}" for deviation in deviations)]
    names += ["sd measured", "measured"] if learned is not None else []
    lines = [f"| {' | '.join(names)} |", f"|---|---{'|--:' * (len(names) - 2)}|"]
    for one in can:
        contrast = one.comparison.contrast
        cells = [one.name, MEANING[contrast.test], str(one.seeds), str(one.arms or "own")]
        digits = ".3g" if contrast.test == "slope" else ".2f"
        cells += [f"{one.effect * deviation:{digits}}" for deviation in deviations]
        if learned is not None:
            own = known.get((contrast.endpoint, one.step))
            cells += [f"{own.of(one):.2f}", f"{one.effect * own.of(one):{digits}}"] if own else ["none", ""]
        lines.append(f"| {' | '.join(cells)} |")
    reasons = [f"{one.name}: {one.reason}." for one in found if one.reason not in ("", NO_SET)]
    needed = []
    for one in can:
        if points := one.comparison.contrast.margin or wanted:
            own = known.get((one.comparison.contrast.endpoint, one.step))
            expected = [*deviations, *([own.of(one)] if own else [])]
            seeds = ", ".join(f"{one.seeds_needed(points, sd)} if they deviate by {sd:.3g}" for sd in expected)
            needed.append(f"{one.name}: seeds needed for {points:g} points: {seeds}.")
    return [*(lines if can else []), *reasons, *([""] if needed else []), *needed]


def assumed(known: tuple[int, float] | None) -> tuple[float, ...]:
    """Deviations to expect between seeds, in points, ascending: :data:`ASSUMED`, or that by chance if it is larger.

    Args:
        known: what :func:`chance` gives.
    """
    return ASSUMED if known is None or known[1] <= ASSUMED[0] else (known[1],)


def chance(units: Units) -> tuple[int, float] | None:
    """Number of test images of all sets, and the largest binomial deviation of a mean over sets, in points.

    None if the number of a set is not known here.
    """
    counts = [_tested(units, name) for name in units.reported]
    if not counts or not all(counts):
        return None
    variance = 0.25 * sum(1 / count for count in counts)  # that of an accuracy of 50 %
    return sum(counts), 100 * variance**0.5 / len(counts)


def _tested(units: Units, dataset: str) -> int:
    """Number of test images of a set: of a public one, of the demo's, or in folders of one's own; or 0."""
    if found := folder_contents(units, dataset):
        return found[2]
    tested = dataset_contents(units, dataset)[2]
    return 0 if tested == ASSUMED_TESTED else tested
