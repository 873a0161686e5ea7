"""The contrasts that every study has if it has their runs: the papers' comparisons, main effects and controls."""

from collections.abc import Iterator, Sequence
from itertools import combinations, product

from workflow_scripts.core.declaration.result_names import SUPERVISED, UNTRAINED
from workflow_scripts.evaluation.contrasts.comparisons import LANGUAGE
from workflow_scripts.evaluation.contrasts.settings import PER, Contrast, SummaryRun, Term

SELF, VISUAL = "self", "visual"
WEAK, STRONG = "crop", "simclr"
"""Augmentations of the papers: of language pairs, and of self pairs."""
CONTROLS = {VISUAL: 1, "shuffled": 1, "random": 1, "random in subreddit": 1, "same_day": 1, "oracle": -1}
"""Role of other pairs -> expected sign of language pairs minus them."""
CAPTIONS = (("revised", "original"), ("generated", "original"))


def standard(runs: Sequence[SummaryRun]) -> tuple[Contrast, ...]:
    """The standard contrasts of a study with these runs, for every pair table of captions that it has."""
    tables = list(dict.fromkeys(run.pairs for run in runs if run.role == LANGUAGE))
    pairs = {run.pairs for run in runs}
    named = [both for both in CAPTIONS if {*both} <= pairs]
    compared = [*named, *(both for both in _differing(runs) if both not in named and both[::-1] not in named)]
    found = [Contrast(name=f"{arm} - {other}", minuend=arm, subtrahend=other) for arm, other in compared]
    for table in tables:
        found += _papers(runs, table)
        found += _effects(runs, table)
        for role, sign in CONTROLS.items():
            found += [
                Contrast(name=f"{table} - {control}", minuend=table, subtrahend=control, expected=sign)
                for control in dict.fromkeys(run.pairs for run in runs if run.role == role)
            ]
    for table in [*tables, *(["self"] if "self" in pairs else [])]:
        found += _references(runs, table)
        found += _late(runs, table)
    return (*found, *_slope(runs))


def _differing(runs: Sequence[SummaryRun]) -> Iterator[tuple[str, str]]:
    """Two pairs, the later ones in the study first, that have runs which differ only in the arm or in the encoder."""
    kinds: dict[str, set[tuple[tuple[str, ...], str, str]]] = {}
    for run in runs:
        if run.alike:
            same = run.alike, run.method, run.augmentation, run.backbone, run.tag
            kinds.setdefault(run.pairs, set()).add((same, run.arm, run.encoder))
    for first, second in combinations(kinds, 2):
        if any(
            same == others and (arm != other) != (encoder != by)
            for (same, arm, encoder), (others, other, by) in product(kinds[first], kinds[second])
        ):
            yield second, first


def _papers(runs: Sequence[SummaryRun], table: str) -> Iterator[Contrast]:
    """Language pairs with a crop against self pairs with SimCLR's augmentation, which the papers compared."""
    for method in dict.fromkeys(run.method for run in runs):
        if {(table, WEAK), (SELF, STRONG)} <= {(run.pairs, run.augmentation) for run in runs if run.method == method}:
            yield _sum(f"{table} ({WEAK}) - self ({STRONG})", method, [(1, table, WEAK), (-1, SELF, STRONG)])


def _effects(runs: Sequence[SummaryRun], table: str) -> Iterator[Contrast]:
    """Effect of pairs, over the augmentations that both have; of augmentation, over both pairs; their interaction."""
    both = set(product((table, SELF), (WEAK, STRONG)))
    for method in dict.fromkeys(run.method for run in runs):
        cells = {(run.pairs, run.augmentation) for run in runs if run.method == method}
        shared = [one for one in (WEAK, STRONG) if {(table, one), (SELF, one)} <= cells]
        if shared:
            effect = [(sign / len(shared), pairs, one) for one in shared for sign, pairs in ((1, table), (-1, SELF))]
            yield _sum(f"{table} - self", method, effect)
        if both <= cells:
            effect = [(sign / 2, pairs, one) for pairs in (table, SELF) for sign, one in ((1, STRONG), (-1, WEAK))]
            yield _sum(f"{STRONG} - {WEAK} ({table} and self)", method, effect)
            signs = {(table, WEAK): 1, (SELF, WEAK): -1, (table, STRONG): -1, (SELF, STRONG): 1}
            effect = [(sign, *cell) for cell, sign in signs.items()]
            yield _sum(f"({table} - self) by ({WEAK} - {STRONG})", method, effect)


def _references(runs: Sequence[SummaryRun], table: str) -> Iterator[Contrast]:
    """Against an untrained and a supervised network, whose pairs and augmentation are their own."""
    for role, sign in ((UNTRAINED, 1), (SUPERVISED, -1)):
        of_role = [run for run in runs if run.role == role]
        references = dict.fromkeys((run.method, run.pairs, run.augmentation, run.tag) for run in of_role)
        for method, pairs, augmentation, tag in references:
            fixed = {"method": method, "pairs": pairs, "augmentation": augmentation, "tag": tag}
            name = f"{table} - {role}" if len(references) == 1 else f"{table} - {role} ({pairs}, {augmentation}, {tag})"
            for other in dict.fromkeys(run.method for run in runs if run.pairs == table and run.role != role):
                terms = Term(weight=1, method=other, pairs=table), Term(weight=-1, step="last", **fixed)
                yield Contrast(name=name, terms=terms, per=("augmentation", "backbone"), expected=sign)


def _late(runs: Sequence[SummaryRun], table: str) -> Iterator[Contrast]:
    """The last checkpoint against the peak of training, which is the checkpoint that the online probe chose."""
    if any({"last", "best"} <= set(run.steps) for run in runs if run.pairs == table):
        terms = Term(weight=1, pairs=table, step="last"), Term(weight=-1, pairs=table, step="best")
        yield Contrast(name=f"last - peak ({table})", terms=terms, per=PER, expected=-1)


def _slope(runs: Sequence[SummaryRun]) -> Iterator[Contrast]:
    """Least-squares slope over the share of faithful captions.

    Each method, augmentation and tag has its own, fitted to its pair tables of mixed arms: one point per table, also
    where two have the same share. Several backbones are fitted to the tables that all of them have.
    """
    cells: dict[tuple[str, str, str], dict[str, dict[str, float]]] = {}
    for run in runs:
        if run.dose is not None:
            tables = cells.setdefault((run.method, run.augmentation, run.tag), {}).setdefault(run.backbone, {})
            tables[run.pairs] = run.dose
    for (method, augmentation, tag), by_backbone in cells.items():
        several = [doses for doses in by_backbone.values() if len(set(doses.values())) > 1]
        doses = {
            pairs: dose for one in several for pairs, dose in one.items() if all(pairs in other for other in several)
        }
        if len(set(doses.values())) > 1:
            fixed = {"method": method, "augmentation": augmentation, "tag": tag}
            terms = tuple(Term(at=dose, pairs=pairs, **fixed) for pairs, dose in doses.items())
            name = "slope over the share of faithful captions"
            yield Contrast(name=name, terms=terms, per=("backbone",), test="slope")


def _sum(name: str, method: str, effect: Sequence[tuple[float, str, str]]) -> Contrast:
    terms = tuple(
        Term(weight=weight, method=method, pairs=pairs, augmentation=augmentation)
        for weight, pairs, augmentation in effect
    )
    return Contrast(name=name, terms=terms, per=("backbone",))
