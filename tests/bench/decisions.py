"""How often the rule of verdicts finds a true effect and is wrong without one, by simulating it from scores on.

A study has twelve arms, ten sets with 658 classes, and two objectives, whose deviations correlate by 0.8. A network's
mean over sets deviates as stated, in points; 3 points for each of its classes are a part of it. The classes of an arm
deviate by 4 points, images included. Three contrasts are primary and have an arm in common. Only the first has an
effect: b - a, or the mean of it over two methods. With *unequal* deviations those of arms are multiplied by exp(0.5 z),
z standard normal. With *common classes* the two sets of ten classes have eight in common, and two others twenty.

    nice -n 15 python -m tests.bench.decisions --studies 4000

prints power and family-wise error of the whole rule: both p-values, both objectives, Holm over the primary contrasts.
"Before" is the rule that it replaced: deviations between seeds by the contrast's own seeds, classes apart, and sixteen
contrasts in a family. Then come other choices of the prior's degrees of freedom, and null studies of the shape of
config.yaml and of the demo, through the summary's own table. The random seeds are fixed.
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
from workflow_scripts.evaluation.contrasts.verdicts import CONTRADICTED, SUPPORTED, agreed, verdict
from workflow_scripts.evaluation.datasets.registry import SETS
from workflow_scripts.stats import moderation
from workflow_scripts.stats.random_effects import holm, two_way
from workflow_scripts.study.config.files import read_config
from workflow_scripts.study.config.runs import summarised, trainings
from workflow_scripts.study.config.study import load_study

SIZES = (101, 100, 100, 47, 37, 101, 102, 10, 10, 50)
SEEDS, DEVIATIONS, POINTS = (3, 5, 10), (0.3, 0.6), (1.0, 2.0)
ARMS, FAMILY, BEFORE = 12, 3, 16
OF_CLASS, OF_NETWORK, CORRELATION, UNEQUAL = 4.0, 3.0, 0.8, 0.5
AT_ONCE = 100
ONE = np.array([[-1, 1, 0, 0, 0, 0, 0, 0], [-1, 0, 1, 0, 0, 0, 0, 0], [-1, 0, 0, 1, 0, 0, 0, 0]], np.float64)
MEAN = (ONE + np.roll(ONE, 4, axis=1)) / 2
PRIORS = {"none": (0.0, False), "any": (1e9, False), "any, bound": (1e9, True), "at most 8": (8.0, False),
          "at most 8, bound": (8.0, True), "at most 4": (4.0, False), "at most 4, bound": (4.0, True)}  # fmt: skip


class Cell(NamedTuple):
    """What is simulated: seeds, deviation of a network's mean in points, effect, and how studies are made."""

    seeds: int
    deviation: float
    effect: float = 0.0
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
    both[1] = CORRELATION * both[0] + np.sqrt(1 - CORRELATION**2) * both[1]
    return both


class Drawn(NamedTuple):
    """Tables of the arms that are compared, by set (2, n, arms, S, C), and variances of all arms (2, n, ARMS)."""

    tables: list[np.ndarray]
    variances: np.ndarray


def draw(rng: np.random.Generator, cell: Cell, studies: int) -> Drawn:
    """Scores of studies, in points."""
    compared, seeds = cell.weights.shape[1], cell.seeds
    scale = np.exp(UNEQUAL * rng.standard_normal((studies, ARMS, 1))) if cell.unequal else np.ones((studies, ARMS, 1))
    by_class = sum(1 / size for size in SIZES) * (OF_NETWORK / len(SIZES)) ** 2
    networks = correlated(rng, (studies, ARMS, seeds)) * np.sqrt(cell.deviation**2 - by_class) * scale
    effects = cell.effect * (cell.weights[0] > 0)
    known: dict[object, np.ndarray] = {}
    tables = []
    for names in cell.classes():
        for name in names:
            if cell.common and name not in known:
                known[name] = correlated(rng, (studies, compared, 1)) * OF_CLASS
        of_class = np.stack([known[name] for name in names], axis=-1) if cell.common else (
            correlated(rng, (studies, compared, 1, len(names))) * OF_CLASS)  # fmt: skip
        rest = correlated(rng, (studies, compared, seeds, len(names))) * OF_NETWORK * scale[:, :compared, :, None]
        tables.append(networks[:, :, :compared, :, None] + of_class + rest + effects[:, None, None])
    noise = correlated(rng, (studies, ARMS - compared, seeds)) * np.sqrt(by_class)
    others = networks[:, :, compared:] + noise * scale[:, compared:]
    scores = np.concatenate([np.mean([table.mean(axis=-1) for table in tables], axis=0), others], axis=2)
    return Drawn(tables, scores.var(axis=-1, ddof=1))


def p_values(drawn: Drawn, cell: Cell) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """p-values (2, n, contrasts) by the rule and by the one that it replaced, and the differences."""
    tables = [np.einsum("ka,onasc->onksc", cell.weights, table) for table in drawn.tables]
    shares = [np.full(size, 1 / size) for size in SIZES]
    freedom = np.full(ARMS, cell.seeds - 1.0)
    arms = moderation.moderated(drawn.variances, freedom)
    weights = np.zeros((len(cell.weights), ARMS))
    weights[:, : cell.weights.shape[1]] = cell.weights
    parts = [moderation.seed_part(arms, one, cell.seeds, freedom.sum()) for one in weights]
    seed = moderation.Part(*(np.stack([np.asarray(part[at]) for part in parts], axis=-1) for at in (0, 1)))
    found = two_way(tables, shares, cell.classes(), seed)
    return found.p_value(), two_way(tables, shares).p_value(), found.mean


def concluded(p: np.ndarray, differences: np.ndarray, more: int = 0) -> np.ndarray:
    """Verdicts (n, contrasts) by the project's own rule; ``more`` hopeless contrasts are in the family."""
    padded = np.concatenate([p, np.ones((*p.shape[:2], more))], axis=-1)
    adjusted = holm(padded)[..., : p.shape[-1]]
    said = np.full(p.shape[1:], "inconclusive", dtype="<U14")
    for at in zip(*np.nonzero((adjusted < 0.05).any(axis=0)), strict=True):
        both = [verdict(bool(differences[o][at] > 0), float(adjusted[o][at]), (), sum(SIZES)) for o in (0, 1)]
        said[at] = agreed(both).verdict
    return said


def simulated(number: int, cell: Cell, studies: int) -> tuple[np.ndarray, np.ndarray]:
    """Verdicts (studies, contrasts) by the rule and by the one that it replaced."""
    rng = np.random.default_rng([28, number])
    now, before = [], []
    for start in range(0, studies, AT_ONCE):
        p, old, differences = p_values(draw(rng, cell, min(AT_ONCE, studies - start)), cell)
        now.append(concluded(p, differences))
        before.append(concluded(old, differences, BEFORE - FAMILY))
    return np.concatenate(now), np.concatenate(before)


def wrong(said: np.ndarray) -> float:
    """Share of studies without effects in which some verdict is conclusive."""
    return float(np.isin(said, (SUPPORTED, CONTRADICTED)).any(axis=-1).mean())


def power_lines(studies: int) -> Iterator[str]:
    """Power of the first primary contrast."""
    yield "| seeds | sd | effect | before | b - a | mean over two methods |\n|---|---|---|---|---|---|"
    for number, (seeds, deviation, effect) in enumerate(product(SEEDS, DEVIATIONS, POINTS)):
        (one, before), (mean, _) = (
            simulated(2 * number + at, Cell(seeds, deviation, effect, weights=weights), studies)
            for at, weights in enumerate((ONE, MEAN))
        )
        shares = [float((said[:, 0] == SUPPORTED).mean()) for said in (before, one, mean)]
        yield f"| {seeds} | {deviation} | {effect:g} | {' | '.join(f'{share:.3f}' for share in shares)} |"


def error_lines(studies: int) -> Iterator[str]:
    """Family-wise errors."""
    yield "| seeds | sd | deviations | common classes | before | now |\n|---|---|---|---|---|---|"
    for number, given in enumerate(product(SEEDS, DEVIATIONS, (False, True), (False, True))):
        seeds, deviation, unequal, common = given
        now, before = simulated(100 + number, Cell(seeds, deviation, 0.0, unequal, common), studies)
        kinds = f"{'unequal' if unequal else 'equal'} | {'yes' if common else 'no'}"
        yield f"| {seeds} | {deviation} | {kinds} | {wrong(before):.3f} | {wrong(now):.3f} |"


def prior_lines(studies: int) -> Iterator[str]:
    """Errors and power by how the prior counts, at three seeds, where it matters most."""
    yield "| prior | error, equal | unequal | unequal, sd 2 | power, +2 at 0.3 | at 0.6 |\n|---|---|---|---|---|---|"
    cells = [Cell(3, 0.6), Cell(3, 0.6, unequal=True), Cell(3, 2.0, unequal=True), Cell(3, 0.3, 2.0), Cell(3, 0.6, 2.0)]
    for name, (largest, bounded) in PRIORS.items():
        with mock.patch.multiple(moderation, LARGEST_PRIOR=largest, BOUNDED=bounded):
            said = [simulated(200 + number, cell, studies)[0] for number, cell in enumerate(cells)]
        shares = [*(wrong(one) for one in said[:3]), *(float((one[:, 0] == SUPPORTED).mean()) for one in said[3:])]
        yield f"| {name} | {' | '.join(f'{share:.3f}' for share in shares)} |"


def null_line(config: Sequence[str], studies: int, number: int) -> str:
    """Share of null studies of a config's shape with a wrong verdict on any of its primary contrasts."""
    study = load_study(read_config([ROOT / name for name in config]))
    runs = [SummaryRun.model_validate(one) for one in summarised(trainings(study))]
    sets = {one.name: SETS[one.name].classes if one.name in SETS else 8 for one in study.datasets if one.evaluate}
    rng = np.random.default_rng([29, number])
    count = 0
    for _ in range(studies):
        rows = judged(runs, study_scores(null_scores(rng, runs, sets)), *study.contrasts)
        count += any(row["verdict"] in (SUPPORTED, CONTRADICTED) for row in rows)
    return f"| {' + '.join(config)} | {len(runs)} | {len(sets)} | {count / studies:.3f} |"


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=4000)
    parser.add_argument("--parts", nargs="*", default=["power", "error", "prior", "null"])
    given = parser.parse_args()
    of_parts = {"power": power_lines, "error": error_lines, "prior": prior_lines}
    for name in given.parts:
        if name in of_parts:
            for line in of_parts[name](given.studies):
                print(line, flush=True)
            print()
        else:
            print("| config | runs | sets | wrong |\n|---|---|---|---|")
            for number, config in enumerate((["config.yaml"], ["config.yaml", "profiles/demo/study.yaml"])):
                print(null_line(config, given.studies // 2, number), flush=True)


if __name__ == "__main__":
    main()
