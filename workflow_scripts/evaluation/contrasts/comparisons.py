"""From contrasts to comparisons: which runs, at which step, are weighed against which."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, NamedTuple

from workflow_scripts.evaluation.contrasts.settings import PER, Axis, Contrast, SummaryRun, Term

LANGUAGE = "language"
"""Role of pairs by captions, other than controls."""
Runs = list[SummaryRun]
Kind = tuple[str, ...]
"""What the runs of an arm have in common, which differ in their seed alone."""


class Side(NamedTuple):
    """The runs of one term in one cell, at one step, and their weight."""

    weight: float
    step: str
    runs: tuple[SummaryRun, ...]


@dataclass(frozen=True)
class Comparison:
    """A contrast for one method, augmentation, backbone, tag and step, or averaged over several.

    Where its terms differ in one of them, it is "a vs b" if the sides differ, and "a and b" if each has both.

    Attributes:
        primary: "declared" or "default" if it gets a verdict: a primary contrast, at the first step that its runs have.
        unequal: in what the runs differ besides what is compared, such as ``budget``; empty for a fair comparison.
        chosen_on: the sets that chose one of its checkpoints and are reported too.
    """

    contrast: Contrast
    primary: str
    sides: tuple[Side, ...]
    method: str
    augmentation: str
    backbone: str
    tag: str
    step: str
    unequal: tuple[str, ...]
    chosen_on: tuple[str, ...]

    def labels(self) -> dict[str, str]:
        """The columns of a table that name it."""
        named = {"method": self.method, "augmentation": self.augmentation, "backbone": self.backbone, "tag": self.tag}
        return {"contrast": self.contrast.name, **named, "step": self.step}

    def weights(self) -> frozenset[tuple[str, str, float]]:
        """Run, step and weight; comparisons with the same ones, or with all signs reversed, are the same."""
        found: dict[tuple[str, str], float] = {}
        for side in self.sides:
            for run in side.runs:
                key = run.run, side.step
                found[key] = found.get(key, 0.0) + side.weight / len(side.runs)
        first = min((key for key, weight in found.items() if round(weight, 9)), default=None)
        sign = -1.0 if first is not None and found[first] < 0 else 1.0
        return frozenset((*key, round(sign * weight, 9)) for key, weight in found.items())


def checkpoints(sides: Sequence[Side]) -> dict[str, str]:
    """``<run>.<step>`` of the runs with positive weight and of those with negative weight, separated by spaces."""
    signs = {"plus": 1, "minus": -1}
    return {
        name: " ".join(f"{run.run}.{side.step}" for side in sides if side.weight * sign > 0 for run in side.runs)
        for name, sign in signs.items()
    }


def common_seeds(sides: Sequence[Side]) -> list[int]:
    """Seeds that every kind of run in every term has; kinds are the runs that differ in their seed alone."""
    kinds: dict[tuple[int, tuple[str, ...]], set[int]] = {}
    for number, side in enumerate(sides):
        for run in side.runs:
            kinds.setdefault((number, run.kind), set()).add(run.seed)
    return sorted(set.intersection(*kinds.values()))


def arm_weights(sides: Sequence[Side]) -> dict[Kind, float]:
    """Weight of each arm, the runs that differ in their seed alone, in a comparison."""
    weights: dict[Kind, float] = {}
    for side in sides:
        kinds = dict.fromkeys(run.kind for run in side.runs)
        for kind in kinds:
            weights[kind] = weights.get(kind, 0.0) + side.weight / len(kinds)
    return weights


def judged(listed: Sequence[Contrast]) -> tuple[Sequence[Contrast], str]:
    """The listed contrasts that get a verdict, and whether they are "declared" primary or, as the first, "default"."""
    declared = [contrast for contrast in listed if contrast.primary]
    return (declared, "declared") if declared else (listed[:1], "default")


def planned(listed: Sequence[Contrast], usual: Sequence[Contrast], runs: Sequence[SummaryRun]) -> list[Comparison]:
    """The comparisons of a study's runs: primary ones first, then those listed, then usual ones unlike any of these.

    If no listed contrast is primary, the first listed one is; without any, ``revised - original`` or, of a study with
    other arms, the second pair table of captions minus the first: a mean over methods, augmentations and backbones.
    """
    primary = list(comparisons([contrast for contrast in listed if contrast.primary], runs))
    if not any(contrast.primary for contrast in listed):
        tables = list(dict.fromkeys(run.pairs for run in runs if run.role == LANGUAGE))
        sides = tables[1::-1] if not {"revised", "original"} <= {*tables} else ["revised", "original"]
        own = [Contrast(name=" - ".join(sides), minuend=sides[0], subtrahend=sides[1])] if len(sides) == 2 else []
        mean = [one.model_copy(update={"primary": True, "per": None}) for one in [*listed, *own][:1]]
        primary = [replace(row, primary=row.primary and "default") for row in comparisons(mean, runs)]
    names, seen = {contrast.name for contrast in listed}, {(row.contrast.name, row.weights()) for row in primary}
    others = comparisons([contrast for contrast in listed if not contrast.primary], runs)
    found = [*primary, *(row for row in others if (row.contrast.name, row.weights()) not in seen)]
    same = {row.weights() for row in found}
    rest = comparisons([contrast for contrast in usual if contrast.name not in names], runs)
    return [*found, *(row for row in rest if row.weights() not in same)]


def comparisons(contrasts: Sequence[Contrast], runs: Sequence[SummaryRun]) -> Iterator[Comparison]:
    """Comparisons of runs for all combinations of what contrasts are computed per, of tags, and of evaluated steps."""
    for contrast in contrasts:
        if not contrast.of_runs:
            continue
        terms = [term for _, term in contrast.cells]
        for cells in groups(contrast, runs):
            of_terms = [[run for cell in cells for run in cell[at]] for at in range(len(terms))]
            for number, (steps, label) in enumerate(_steps(terms, of_terms)):
                primary = "declared" if contrast.primary and number == 0 else ""
                yield _comparison(contrast, primary, cells, steps, label)


def groups(contrast: Contrast, runs: Sequence[SummaryRun]) -> Iterator[list[list[Runs]]]:
    """The cells that each row averages, and in each cell the runs of each term.

    The runs of a cell are alike in method, augmentation and backbone, as far as the terms allow. Where no augmentation
    is common to all terms, they are compared across augmentations, unless the terms are per augmentation as stated.
    """
    terms, per = [term for _, term in contrast.cells], contrast.rows_per
    across = contrast.per is None or not contrast.terms
    matching = [[run for run in runs if term.matches(run)] for term in terms]
    axes = [axis for axis in dict.fromkeys([*per, "tag"]) if axis != "augmentation" or not across]
    values = []
    for axis in axes:
        free = [own for term, own in zip(terms, matching, strict=True) if not term.fixes(axis)]
        values.append(list(dict.fromkeys(getattr(run, axis) for own in free for run in own)) if free else [None])
    for combination in product(*values):
        wanted = dict(zip(axes, combination, strict=True))
        members = [
            [run for run in own if all(term.fixes(axis) or getattr(run, axis) == one for axis, one in wanted.items())]
            for term, own in zip(terms, matching, strict=True)
        ]
        if all(members):
            for row in _alike(terms, members, "augmentation", across) if "augmentation" in per else [members]:
                cells = [row]
                for axis in PER:
                    if axis not in per:
                        cells = [part for cell in cells for part in _alike(terms, cell, axis, across=False)]
                yield cells


def _alike(terms: Sequence[Term], members: list[Runs], axis: Axis, across: bool) -> list[list[Runs]]:
    """Runs with the same value, for each value that all terms have which do not give their own.

    If there is none, with ``across`` for each combination of the terms' values, and else all together.
    """
    values = [sorted({getattr(run, axis) for run in own}) for own in members]
    free = [set(found) for term, found in zip(terms, values, strict=True) if not term.fixes(axis)]
    chosen: list[tuple[str, ...]] = []
    for value in sorted(set.intersection(*free)) if free else ():
        chosen += product(*([value] if not term.fixes(axis) else own for term, own in zip(terms, values, strict=True)))
    if not chosen:
        chosen = list(product(*values)) if across else []
    return [
        [[run for run in own if getattr(run, axis) == one] for own, one in zip(members, row, strict=True)]
        for row in chosen
    ] or [members]


def _steps(terms: Sequence[Term], members: Sequence[Runs]) -> Iterator[tuple[list[str], str]]:
    """Step of each term, and their label, for each step that all runs of the terms without their own step have."""
    free = [run for term, own in zip(terms, members, strict=True) if term.step is None for run in own]
    fixed = [(term.step, run) for term, own in zip(terms, members, strict=True) if term.step for run in own]
    if any(step not in run.steps for step, run in fixed):
        return
    if not free:
        steps = [term.step or "" for term in terms]
        yield steps, " vs ".join(dict.fromkeys(steps))
    for step in free[0].steps if free else ():
        if all(step in run.steps for run in free):
            yield [term.step or step for term in terms], step


def _comparison(contrast: Contrast, primary: str, cells: list[list[Runs]], steps: list[str], step: str) -> Comparison:
    sides = tuple(
        Side(weight / len(cells), at, tuple(own))
        for cell in cells
        for (weight, _), at, own in zip(contrast.cells, steps, cell, strict=True)
    )
    added, subtracted = ([run for side in sides if side.weight * sign > 0 for run in side.runs] for sign in (1, -1))
    labels = {axis: _label(axis, added, subtracted) for axis in ("method", "augmentation", "backbone", "tag")}
    unequal = dict.fromkeys(name for cell in cells for name in _unequal(contrast, [run for own in cell for run in own]))
    chosen_on = sorted({run.chosen[side.step] for side in sides for run in side.runs if side.step in run.chosen})
    differing, chosen = tuple(unequal), tuple(chosen_on)
    return Comparison(contrast, primary, sides, step=step, unequal=differing, chosen_on=chosen, **labels)


def _unequal(contrast: Contrast, runs: Runs) -> list[str]:
    """In what the runs of a cell differ, besides what is compared."""
    trained = [run for run in runs if run.batch_size]
    differing: dict[str, set[Any]] = {
        "budget": {run.budget_in(contrast.compare_at) for run in trained},
        "batch_size": {run.batch_size for run in trained},
        "backbone": {run.backbone for run in runs},
    }
    return [
        name.replace("_", " ") for name, found in differing.items() if len(found) > 1 and name not in contrast.varies
    ]


def _label(axis: str, added: Runs, subtracted: Runs) -> str:
    """The common value, or all of them: "vs" only if what is added and what is subtracted have different values."""
    first, second = (dict.fromkeys(getattr(run, axis) for run in side) for side in (added, subtracted))
    if len(first | second) == 1:
        return str(next(iter(first)))
    sides = [first] if first.keys() == second.keys() else [first, second]
    return " vs ".join(" and ".join(value or "untagged" for value in side) for side in sides)
