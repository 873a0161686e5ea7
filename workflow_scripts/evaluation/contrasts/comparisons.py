"""From contrasts to comparisons: which runs, at which step, are weighed against which."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, NamedTuple

from workflow_scripts.evaluation.contrasts.settings import Contrast, SummaryRun, Term

Runs = list[SummaryRun]


class Side(NamedTuple):
    """The runs of one term at one step, and their weight."""

    weight: float
    step: str
    runs: tuple[SummaryRun, ...]


@dataclass(frozen=True)
class Comparison:
    """A contrast for one method, augmentation, backbone, tag and step.

    Where its terms differ in one of them, it is "a vs b" if the sides differ, and "a and b" if each has both.

    Attributes:
        unequal: in what the runs differ besides what is compared, such as ``budget``; empty for a fair comparison.
        chosen_on: the sets that chose one of its checkpoints and are reported too.
    """

    name: str
    expected: int
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
        return {"contrast": self.name, **named, "step": self.step}


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
            kinds.setdefault((number, _kind(run)), set()).add(run.seed)
    return sorted(set.intersection(*kinds.values()))


def comparisons(contrasts: Sequence[Contrast], runs: Sequence[SummaryRun]) -> Iterator[Comparison]:
    """Comparisons for all combinations of what contrasts are computed per, of the tags, and of the evaluated steps."""
    for contrast in contrasts:
        for members in groups(contrast, runs):
            for steps, label in _steps(contrast.cells, members):
                sides = tuple(
                    Side(term.weight, step, tuple(own))
                    for term, step, own in zip(contrast.cells, steps, members, strict=True)
                )
                yield _comparison(contrast, sides, label)


def groups(contrast: Contrast, runs: Sequence[SummaryRun]) -> Iterator[list[Runs]]:
    """Runs of each term, in every group in which each term has some."""
    terms = contrast.cells
    matching = [[run for run in runs if term.matches(run)] for term in terms]
    axes = dict.fromkeys([*contrast.per, "tag"])
    values = []
    for axis in axes:
        free = [own for term, own in zip(terms, matching, strict=True) if not term.fixes(axis)]
        values.append(list(dict.fromkeys(getattr(run, axis) for own in free for run in own)) if free else [None])
    for combination in product(*values):
        wanted = dict(zip(axes, combination, strict=True))
        members = [_within(term, own, wanted) for term, own in zip(terms, matching, strict=True)]
        if all(members):
            yield from [members] if contrast.terms else _by_augmentation(members)


def _within(term: Term, runs: Runs, wanted: dict[str, str | None]) -> Runs:
    """Those of a term's runs that have the wanted values, as far as the term does not give its own."""
    return [run for run in runs if all(term.fixes(axis) or getattr(run, axis) == one for axis, one in wanted.items())]


def _by_augmentation(members: list[Runs]) -> Iterator[list[Runs]]:
    """Runs with the same augmentation; two terms that share none are compared across augmentations."""
    first, second = ({run.augmentation for run in runs} for runs in members)
    pairs = [(one, one) for one in sorted(first & second)] or list(product(sorted(first), sorted(second)))
    for chosen in pairs:
        yield [[run for run in runs if run.augmentation == one] for runs, one in zip(members, chosen, strict=True)]


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


def _comparison(contrast: Contrast, sides: tuple[Side, ...], step: str) -> Comparison:
    runs = [run for side in sides for run in side.runs]
    method, augmentation, backbone, tag = (
        _label(
            *([getattr(run, axis) for side in sides if side.weight * sign > 0 for run in side.runs] for sign in (1, -1))
        )
        for axis in ("method", "augmentation", "backbone", "tag")
    )
    trained = [run for run in runs if run.batch_size]
    differing: dict[str, set[Any]] = {
        "budget": {run.budget for run in trained},
        "batch size": {run.batch_size for run in trained},
        "backbone": {run.backbone for run in runs},
    }
    unequal = tuple(name for name, found in differing.items() if len(found) > 1)
    chosen_on = sorted({run.chosen[side.step] for side in sides for run in side.runs if side.step in run.chosen})
    named = method, augmentation, backbone, tag, step
    return Comparison(contrast.name, contrast.expected, sides, *named, unequal, tuple(chosen_on))


def _label(added: Sequence[str], subtracted: Sequence[str]) -> str:
    """The common value, or all of them: "vs" only if what is added and what is subtracted have different values."""
    if len({*added, *subtracted}) == 1:
        return added[0]
    sides = [added] if set(added) == set(subtracted) else [added, subtracted]
    return " vs ".join(" and ".join(value or "untagged" for value in dict.fromkeys(side)) for side in sides)


def _kind(run: SummaryRun) -> tuple[str, ...]:
    """What runs that differ in their seed alone have in common."""
    return run.method, run.pairs, run.augmentation, run.backbone, run.tag
