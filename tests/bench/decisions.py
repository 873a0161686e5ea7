"""How often the rule of verdicts finds a true effect and is wrong without one, by simulating it from scores on.

A study has twelve arms, ten sets with 658 classes, and two objectives, whose deviations correlate by 0.8. A network's
mean over sets deviates as stated, in points; 3 points for each of its classes are a part of it. The classes of an arm
deviate by 4 points, images included. Three contrasts are primary and have an arm in common. Only the first has an
effect: b - a, or the mean of it over two methods. With *unequal* deviations those of arms are multiplied by exp(0.5 z),
z standard normal. With *common classes* the two sets of ten classes have eight in common, and two others twenty.

    nice -n 15 python -m tests.bench.decisions --studies 4000

prints the tables of docs/statistics.md: detectable effects, power and family-wise error of the whole rule (both
p-values, both objectives, Holm over the primary contrasts). "Before" is the rule that it replaced: deviations between
seeds by the contrast's own seeds, classes apart, and sixteen contrasts in a family. Then come other choices of the
prior's degrees of freedom, and null studies of the shape of config.yaml and of the demo, half as many, through the
summary's own table: a verdict of any row counts. Only rows of an endpoint at the first step can have one, so others are
left out. The random seeds are fixed. Studies that differ in effect, deviation or rule alone are the same draws.
"""

import argparse
from collections.abc import Iterator, Sequence
from itertools import product
from typing import NamedTuple
from unittest import mock

import numpy as np

from tests.evaluation.contrasts.made_up import judged, study_scores
from tests.study.config.configs import ROOT
from workflow_scripts.evaluation.contrasts.settings import SummaryRun
from workflow_scripts.evaluation.contrasts.verdicts import ALPHA, CONTRADICTED, SUPPORTED, agreed, verdict
from workflow_scripts.evaluation.datasets.registry import SETS
from workflow_scripts.stats import moderation
from workflow_scripts.stats.random_effects import Effect, Part, class_parts, combined, detectable, holm
from workflow_scripts.study.config.files import read_config
from workflow_scripts.study.config.runs import summarised, trainings
from workflow_scripts.study.config.study import load_study

SIZES = (101, 100, 100, 47, 37, 101, 102, 10, 10, 50)
SEEDS, DEVIATIONS, POINTS = (3, 5, 10), (0.3, 0.6), (1.0, 2.0)
ARMS, FAMILY, BEFORE = 12, 3, 16
OF_CLASS, OF_NETWORK, CORRELATION, UNEQUAL = 4.0, 3.0, 0.8, 0.5
BY_CLASS = sum(1 / size for size in SIZES) * (OF_NETWORK / len(SIZES)) ** 2
"""The part of a network's variance that is due to its classes."""
AT_ONCE = 100
ONE = np.array([[-1, 1, 0, 0], [-1, 0, 1, 0], [-1, 0, 0, 1]], np.float64)
MEAN = np.concatenate([ONE, ONE], axis=1) / 2
PRIORS = {"none": (0.0, False), "any": (1e9, False), "any, bound": (1e9, True), "at most 8": (8.0, False),
          "at most 8, bound": (8.0, True), "at most 4": (4.0, False), "at most 4, bound": (4.0, True)}  # fmt: skip


class Cell(NamedTuple):
    """How studies are made, and which contrasts of the first arms are primary."""

    seeds: int
    unequal: bool = False
    common: bool = False
    weights: np.ndarray = ONE

    def classes(self) -> list[list[object]]:
        """What the classes of each set are."""
        names: list[list[object]] = [[(at, c) for c in range(size)] for at, size in enumerate(SIZES)]
        for first, second, shared in ((7, 8, 8), (5, 9, 20)) if self.common else ():
            names[second][:shared] = names[first][:shared]
        return names


def correlated(rng: np.random.Generator, shape: Sequence[int]) -> np.ndarray:
    """Standard normal, of two objectives: (2, *shape)."""
    both = rng.standard_normal((2, *shape), np.float32)
    both[1] *= np.float32(np.sqrt(1 - CORRELATION**2))
    both[1] += np.float32(CORRELATION) * both[0]
    return both


class Drawn(NamedTuple):
    """Studies but for the networks' own deviations.

    Attributes:
        scores: mean over sets of each network (2, n, ARMS, S), of its classes alone.
        networks: the networks' own deviations, (2, n, ARMS, S), with a deviation of 1.
        now, before: class parts and rest of the contrasts, with classes in common and apart.
    """

    scores: np.ndarray
    networks: np.ndarray
    now: tuple[list[Part], list[Part]]
    before: tuple[list[Part], list[Part]]


def draw(rng: np.random.Generator, cell: Cell, studies: int) -> Drawn:
    """Scores of studies, in points. What a network's classes have in common has no part in class parts and rest."""
    compared, seeds = cell.weights.shape[1], cell.seeds
    scale = np.exp(UNEQUAL * rng.standard_normal((studies, ARMS, 1), np.float32)) if cell.unequal else np.float32(1)
    of_arms = scale[:, :compared, :, None] if cell.unequal else scale
    weights = cell.weights.astype(np.float32)
    place = {name: at for at, name in enumerate(dict.fromkeys(name for names in cell.classes() for name in names))}
    of_class = correlated(rng, (studies, compared, len(place))) * np.float32(OF_CLASS)
    means, tables = [], []
    for names in cell.classes():
        table = correlated(rng, (studies, compared, seeds, len(names)))
        table *= np.float32(OF_NETWORK) * of_arms
        table += of_class[..., None, [place[name] for name in names]]
        means.append(table.mean(axis=-1))
        tables.append((weights @ table.reshape(2, studies, compared, -1)).reshape(2, studies, -1, seeds, len(names)))
    others = correlated(rng, (studies, ARMS - compared, seeds)) * np.sqrt(BY_CLASS)
    others *= scale[:, compared:] if cell.unequal else scale
    shares = [np.full(size, 1 / size) for size in SIZES]
    now = class_parts(tables, shares, cell.classes())
    before = class_parts(tables, shares) if cell.common else now
    networks = correlated(rng, (studies, ARMS, seeds)) * scale
    return Drawn(np.concatenate([np.mean(means, axis=0), others], axis=2), networks, now, before)


def effects(drawn: Drawn, cell: Cell, deviation: float) -> tuple[Effect, Effect]:
    """Contrasts (2, n, contrasts) by the rule and by the one that it replaced, without an effect."""
    scores = drawn.scores + drawn.networks * np.sqrt(deviation**2 - BY_CLASS)
    by_seed = cell.weights @ scores[:, :, : cell.weights.shape[1]]
    freedom = np.full(ARMS, cell.seeds - 1.0)
    arms = moderation.moderated(scores.var(axis=-1, ddof=1, dtype=np.float64), freedom)
    weights = np.pad(cell.weights, ((0, 0), (0, ARMS - cell.weights.shape[1])))
    parts = [moderation.seed_part(arms, row, cell.seeds, freedom.sum()) for row in weights]
    seed = Part(*(np.stack([np.asarray(part[at]) for part in parts], axis=-1) for at in (0, 1)))
    own = Part(by_seed.var(axis=-1, ddof=1) / cell.seeds, cell.seeds - 1.0)
    mean = by_seed.mean(axis=-1)
    return combined(mean, seed, *drawn.now), combined(mean, own, *drawn.before)


def concluded(effect: Effect, points: float, more: int = 0) -> np.ndarray:
    """Verdicts (n, contrasts) by the project's own rule, if the first contrast has an effect.

    Args:
        more: hopeless contrasts in the family.
    """
    effect = effect._replace(mean=effect.mean + points * (np.arange(FAMILY) == 0))
    p = effect.p_value()
    adjusted = holm(np.concatenate([p, np.ones((*p.shape[:2], more))], axis=-1))[..., :FAMILY]
    said = np.full(p.shape[1:], "inconclusive", dtype="<U14")
    for at in zip(*np.nonzero((adjusted < ALPHA).any(axis=0)), strict=True):
        both = [verdict(bool(effect.mean[o][at] > 0), float(adjusted[o][at]), (), sum(SIZES)) for o in (0, 1)]
        said[at] = agreed(both).verdict
    return said


Verdicts = dict[tuple[float, float], tuple[np.ndarray, np.ndarray]]
"""(deviation, effect) -> verdicts (studies, contrasts) by the rule and by the one that it replaced."""


def simulated(
    number: int, cell: Cell, studies: int, deviations: Sequence[float] = DEVIATIONS, points: Sequence[float] = (0.0,)
) -> Verdicts:
    """Verdicts on the same studies with each deviation and effect."""
    rng = np.random.default_rng([28, number])
    found: dict[tuple[float, float], list[tuple[np.ndarray, np.ndarray]]] = {}
    for start in range(0, studies, AT_ONCE):
        drawn = draw(rng, cell, min(AT_ONCE, studies - start))
        for deviation in deviations:
            now, before = effects(drawn, cell, deviation)
            for effect in points:
                both = concluded(now, effect), concluded(before, effect, BEFORE - FAMILY)
                found.setdefault((deviation, effect), []).append(both)
    return {
        key: (np.concatenate([now for now, _ in parts]), np.concatenate([before for _, before in parts]))
        for key, parts in found.items()
    }


def wrong(said: np.ndarray) -> float:
    """Share of studies without effects in which some verdict is conclusive."""
    return float(np.isin(said, (SUPPORTED, CONTRADICTED)).any(axis=-1).mean())


def supported(said: np.ndarray) -> float:
    """Share of studies in which the first contrast is supported."""
    return float((said[:, 0] == SUPPORTED).mean())


def detectable_lines(_: int) -> Iterator[str]:
    """Detectable effects from seeds alone, in closed form: families before; now, arms that deviate alike."""
    yield "| sd | seeds | before, family of 1 | 3 | 16 | now, family of 3 | mean over two methods | over four cells |"
    yield "|---|---|---|---|---|---|---|---|"
    for deviation, seeds in product(DEVIATIONS, SEEDS):
        error = deviation * np.sqrt(2 / seeds)
        before = [float(detectable(error, seeds - 1.0, family)) for family in (1, FAMILY, BEFORE)]
        now = []
        for cells in (1, 2, 4):
            freedom = np.full(ARMS, seeds - 1.0)
            weights = np.repeat([1 / cells, -1 / cells, 0], [cells, cells, ARMS - 2 * cells])
            part = moderation.seed_part(
                moderation.moderated(np.full(ARMS, deviation**2), freedom), weights, seeds, freedom.sum()
            )
            now.append(float(detectable(np.sqrt(part.variance), np.asarray(part.freedom), FAMILY)))
        yield f"| {deviation} | {seeds} | {' | '.join(f'{value:.1f}' for value in (*before, *now))} |"


def rule_lines(studies: int) -> Iterator[str]:
    """Power of the first primary contrast, and family-wise errors with those of the replaced rule in brackets."""
    power, errors = {}, {}
    for number, (seeds, unequal, common) in enumerate(product(SEEDS, (False, True), (False, True))):
        plain = not (unequal or common)
        found = simulated(number, Cell(seeds, unequal, common), studies, points=(0.0, *POINTS) if plain else (0.0,))
        for deviation in DEVIATIONS:
            errors[seeds, deviation, unequal, common] = tuple(map(wrong, found[deviation, 0.0]))
        if plain:
            means = simulated(100 + number, Cell(seeds, weights=MEAN), studies, points=POINTS)
            for key in product(DEVIATIONS, POINTS):
                (now, before), (mean, _) = found[key], means[key]
                power[seeds, *key] = [supported(said) for said in (before, now, mean)]
    yield "| seeds | sd | effect | before | one method | mean over two methods |\n|---|---|---|---|---|---|"
    for (seeds, deviation, effect), shares in power.items():
        yield f"| {seeds} | {deviation} | {effect:g} | {' | '.join(f'{share:.3f}' for share in shares)} |"
    yield "\n| seeds | sd | equal | equal, common classes | unequal | unequal, common classes |"
    yield "|---|---|---|---|---|---|"
    for seeds, deviation in product(SEEDS, DEVIATIONS):
        cells = [errors[seeds, deviation, *kind] for kind in product((False, True), (False, True))]
        yield f"| {seeds} | {deviation} | {' | '.join(f'{now:.3f} ({before:.3f})' for now, before in cells)} |"


def prior_lines(studies: int) -> Iterator[str]:
    """Errors and power by how the prior counts, at three seeds, where it matters most.

    Errors under one objective alone show what the prior does; the second objective hides most of it.
    """
    yield "| prior | equal | unequal | unequal, sd 2 | one objective, unequal | sd 2 | power, +2 at 0.3 | at 0.6 |"
    yield "|---|---|---|---|---|---|---|---|"
    cells = ((Cell(3), 0.6, 0.0), (Cell(3, unequal=True), 0.6, 0.0), (Cell(3, unequal=True), 2.0, 0.0),
             (Cell(3), 0.3, 2.0), (Cell(3), 0.6, 2.0))  # fmt: skip
    said: dict[str, list[np.ndarray]] = {name: [] for name in PRIORS}
    alone: dict[str, list[np.ndarray]] = {name: [] for name in PRIORS}
    rngs = {unequal: np.random.default_rng([30, unequal]) for unequal in (False, True)}
    for start in range(0, studies, AT_ONCE):
        drawn = {own: draw(rng, Cell(3, own), min(AT_ONCE, studies - start)) for own, rng in rngs.items()}
        for name, (largest, bounded) in PRIORS.items():
            with mock.patch.multiple(moderation, LARGEST_PRIOR=largest, BOUNDED=bounded):
                found = [effects(drawn[cell.unequal], cell, sd)[0] for cell, sd, _ in cells]
            said[name].append(np.array([concluded(effect, cell[2]) for effect, cell in zip(found, cells, strict=True)]))
            alone[name].append(np.array([(holm(effect.p_value()[0]) < ALPHA).any(axis=-1) for effect in found[1:3]]))
    for name in PRIORS:
        verdicts, rejected = np.concatenate(said[name], axis=1), np.concatenate(alone[name], axis=1)
        values = [*map(wrong, verdicts[:3]), *rejected.mean(axis=1), *map(supported, verdicts[3:])]
        yield f"| {name} | {' | '.join(f'{value:.3f}' for value in values)} |"


def null_lines(studies: int) -> Iterator[str]:
    """Share of null studies of a config's shape with a wrong verdict in any row."""
    yield "| config | runs | sets | primary contrasts | wrong |\n|---|---|---|---|---|"
    for number, config in enumerate((["config.yaml"], ["config.yaml", "profiles/demo/study.yaml"])):
        study = load_study(read_config([ROOT / name for name in config]))
        every = [SummaryRun.model_validate(run) for run in summarised(trainings(study))]
        runs = [run.model_copy(update={"steps": run.steps[:1]}) for run in every]
        evaluated = [dataset.name for dataset in study.datasets if dataset.evaluate]
        sets = {name: SETS[name].classes if name in SETS else 8 for name in evaluated}
        rng, count, primary = np.random.default_rng([29, number]), 0, set()
        for _ in range(studies // 2):
            rows = judged(runs, study_scores(null_scores(rng, runs, sets)), *study.contrasts)
            count += any(row["verdict"] in (SUPPORTED, CONTRADICTED) for row in rows)
            primary |= {row["contrast"] for row in rows if row["primary"]}
        yield f"| {' + '.join(config)} | {len(runs)} | {len(sets)} | {len(primary)} | {count / (studies // 2):.3f} |"


def null_scores(rng: np.random.Generator, runs: Sequence[SummaryRun], sets: dict[str, int]) -> dict:  # type: ignore[type-arg]
    """Class means of two objectives in shares, with the deviations of :func:`draw`, an arm's the same at all steps."""
    of_arms = {
        (run.kind, name): correlated(rng, (size,)) * OF_CLASS / 100
        for run in {run.kind: run for run in runs}.values()
        for name, size in sets.items()
    }
    found = {}
    for run in runs:
        network = correlated(rng, ()) * DEVIATIONS[0] / 100
        for step in run.steps:
            found[run.run, step] = {
                (f"linear_probe.{objective}", name): 0.5 + network[at] + of_arms[run.kind, name][at] + rest[at]
                for name, size in sets.items()
                for rest in [correlated(rng, (size,)) * OF_NETWORK / 100]
                for at, objective in enumerate(("sklearn", "lgssl"))
            }
    return found


PARTS = {"detectable": detectable_lines, "rule": rule_lines, "prior": prior_lines, "null": null_lines}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=4000)
    parser.add_argument("--parts", nargs="*", choices=PARTS, default=list(PARTS))
    given = parser.parse_args()
    for name in given.parts:
        for line in PARTS[name](given.studies):
            print(line, flush=True)
        print()


if __name__ == "__main__":
    main()
