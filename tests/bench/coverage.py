"""How often joint intervals hold the true effect, and how often verdicts are wrong or missed, by simulation.

A study has a reference and three other kinds of network, each trained with the same seeds and scored on the same 2,000
images of ten classes under two objectives. Only the first kind differs from the reference by an effect. An image has a
difficulty, which all networks share, and for each kind a shift of 0 or ±15 points, which all its seeds share. Networks,
and the classes of a kind, deviate normally. Hits are then independent.

    python -m tests.bench.coverage --studies 2000

prints one line for each number of seeds and deviations, then families of up to 30 comparisons, for which tables of
differences are drawn from the model with normal noise, and then sets of two to four classes (two core-minutes in all).
The random seeds are fixed.
"""

import argparse
from itertools import product
from typing import NamedTuple

import numpy as np

from workflow_scripts.stats.intervals import Interval, wilson
from workflow_scripts.stats.random_effects import Effect, holm, two_way

CLASSES, PER_CLASS, OTHERS, OBJECTIVES, LEVEL = 10, 200, 3, 2, 0.95
DIFFICULTY, SHIFT = np.array([0.35, 0.5, 0.65]), np.array([-0.15, 0.0, 0.15])
CHANCES = DIFFICULTY[:, None] + SHIFT
EFFECTS = {"no": 0.0, "small": 0.01, "large": 0.05}
SEEDS, SEED_SD, CLASS_SD = (3, 5, 10), (0.005, 0.02), (0.0, 0.03)
FAMILIES = (1, 10, 30)
AT_ONCE = 500


class Cell(NamedTuple):
    """Number of seeds, standard deviations of a network and of a class of a kind of network, and number of classes."""

    seeds: int
    seed_sd: float
    class_sd: float
    classes: int = CLASSES


CELLS = [Cell(*one) for one in product(SEEDS, SEED_SD, CLASS_SD)]
FEW = [Cell(seeds, 0.005, 0.03, classes) for classes, seeds in product((2, 3, 4), SEEDS)]
"""Cells with few classes, which deviate more than seeds do: there the interval is worst."""


def differences(rng: np.random.Generator, cell: Cell, studies: int, effect: float) -> np.ndarray:
    """Differences of class means from the reference: (studies, objectives, others, seeds, classes)."""
    blocks = [min(AT_ONCE, studies - start) for start in range(0, studies, AT_ONCE)]
    return np.concatenate([_differences(rng, cell, block, effect) for block in blocks])


def _differences(rng: np.random.Generator, cell: Cell, studies: int, effect: float) -> np.ndarray:
    kinds, even = OTHERS + 1, np.full(3, 1 / 3)
    difficult = rng.multinomial(PER_CLASS, even, size=(studies, 1, cell.classes))
    images = rng.multinomial(
        np.broadcast_to(difficult, (studies, kinds, cell.classes, 3)), even
    )  # by difficulty and shift
    by_class = rng.normal(0, cell.class_sd, (studies, kinds, 1, cell.classes))
    by_class[:, 0] = 0
    by_class[:, 1] += effect
    deviation = rng.normal(0, cell.seed_sd, (studies, kinds, cell.seeds, 1)) + by_class
    chance = np.clip(CHANCES + deviation[..., None, None], 0, 1)
    hits = rng.binomial(np.broadcast_to(images[:, :, None], (OBJECTIVES, *chance.shape)), chance)
    means = np.moveaxis(hits.sum(axis=(-2, -1)) / PER_CLASS, 0, 1)
    return np.asarray(means[:, :, 1:] - means[:, :, :1])


def effects(tables: np.ndarray) -> Effect:
    """The joint estimate of each table (..., seeds, classes)."""
    classes = tables.shape[-1]
    return two_way([tables], [np.full(classes, 1 / classes)])


def coverage(found: Effect, truth: float) -> Interval:
    """Share of studies whose interval of the first comparison, by the first objective, holds its effect."""
    low, high = (end[:, 0, 0] for end in found.interval(LEVEL))
    return wilson(float(((low <= truth) & (truth <= high)).mean()), len(low))


def rejected(found: Effect) -> np.ndarray:
    """Whether a comparison differs from 0 after Holm: bool, the last axis is the family."""
    return np.asarray(holm(found.p_value()) < 1 - LEVEL)


def true_detectable(cell: Cell) -> float:
    """The detectable effect by the variances of the model."""
    seed, rest, classes = _variances(cell)
    own = (cell.seeds - 1, cell.classes - 1, (cell.seeds - 1) * (cell.classes - 1))
    variance = np.asarray(seed + classes + rest)
    freedom = variance**2 / sum(part**2 / f for part, f in zip((seed + rest, classes + rest, rest), own, strict=True))
    model = Effect(np.zeros(()), variance, freedom, np.asarray(seed + rest), cell.seeds - 1)
    return float(model.detectable(OTHERS, 1 - LEVEL))


def _variances(cell: Cell) -> tuple[float, float, float]:
    """Variances of a mean difference: by seeds, by hits, and by classes and their images."""
    rest = 2 * float(np.mean(CHANCES * (1 - CHANCES))) / PER_CLASS / cell.classes / cell.seeds
    classes = (cell.class_sd**2 + 2 * float(SHIFT.var()) / PER_CLASS) / cell.classes
    return 2 * cell.seed_sd**2 / cell.seeds, rest, classes


def wrong_families(rng: np.random.Generator, cell: Cell, size: int, studies: int) -> float:
    """Share of families of ``size`` comparisons with one reference and no effect that reject something."""
    seed, rest, classes = _variances(cell)
    shape = (studies, size + 1, cell.seeds, cell.classes)
    networks = rng.normal(0, np.sqrt(seed * cell.seeds / 2), (*shape[:3], 1))
    by_class = rng.normal(0, np.sqrt(classes * cell.classes / 2), (*shape[:2], 1, cell.classes))
    scores = networks + by_class + rng.normal(0, np.sqrt(rest * cell.classes * cell.seeds / 2), shape)
    return float(rejected(effects(scores[:, 1:] - scores[:, :1])).any(axis=-1).mean())


def line(number: int, cell: Cell, studies: int) -> str:
    """The results of one cell, as a row of the table."""
    rng = np.random.default_rng([12, number])
    found = {name: effects(differences(rng, cell, studies, effect)) for name, effect in EFFECTS.items()}
    held = [coverage(found[name], effect) for name, effect in EFFECTS.items()]
    wrong = rejected(found["no"])
    one, both = wrong[:, 0].any(axis=-1).mean(), wrong.all(axis=1).any(axis=-1).mean()
    least = true_detectable(cell)
    power = rejected(effects(differences(rng, cell, studies, least)))[:, 0, 0].mean()
    cells = [f"{share.value:.3f} [{share.low:.3f}, {share.high:.3f}]" for share in held]
    head = [str(cell.seeds), f"{100 * cell.seed_sd:g}", f"{100 * cell.class_sd:g}"]
    return " | ".join([*head, *cells, f"{one:.3f}", f"{both:.3f}", f"{100 * least:.2f}", f"{power:.3f}"])


def few_line(number: int, cell: Cell, studies: int) -> str:
    """Coverage, and share of wrong results of a single comparison, of a cell with few classes."""
    found = effects(differences(np.random.default_rng([33, number]), cell, studies, 0.0))
    held, wrong = coverage(found, 0.0), (found.p_value()[:, 0, 0] < 1 - LEVEL).mean()
    share = f"{held.value:.3f} [{held.low:.3f}, {held.high:.3f}]"
    return " | ".join([str(cell.classes), str(cell.seeds), share, f"{wrong:.3f}"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=2000)
    studies = parser.parse_args().studies
    heads = [f"coverage, {name} effect" for name in EFFECTS]
    print(" | ".join(["seeds", "seed sd", "class sd", *heads, "wrong, one", "wrong, both", "detectable", "found"]))
    for number, cell in enumerate(CELLS):
        print(line(number, cell, studies), flush=True)
    print(" | ".join(["\nseeds", "seed sd", "class sd", *(f"wrong, family of {size}" for size in FAMILIES)]))
    for number, cell in enumerate(CELLS):
        rng = np.random.default_rng([21, number])
        shares = [f"{wrong_families(rng, cell, size, studies):.3f}" for size in FAMILIES]
        head = [str(cell.seeds), f"{100 * cell.seed_sd:g}", f"{100 * cell.class_sd:g}"]
        print(" | ".join([*head, *shares]), flush=True)
    print("\nclasses | seeds | coverage, no effect | wrong, one comparison")
    for number, cell in enumerate(FEW):
        print(few_line(number, cell, studies), flush=True)


if __name__ == "__main__":
    main()
