"""What the page and the terminal call the runs, pairs and captions that a study compares."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from workflow_scripts.core.declaration.result_names import EXTERNAL, SUPERVISED, UNTRAINED
from workflow_scripts.reporting.settings import Asked, Report, Term
from workflow_scripts.reporting.text import visible

ADJECTIVES = ("original", "generated", "revised", "shuffled")
"""Usual names of arms, which read as adjectives."""
ACCURACIES = ("linear_probe", "few_shot", "knn")
"""Endpoints that are accuracies of networks."""
FLOORS, CEILINGS = (UNTRAINED,), (SUPERVISED, "oracle")
"""Roles of runs that bound the others from below and above."""
SYNTHETIC = "The images of this study are synthetic, and the effect is built in"
"""Of a study of the demo's images: on the page, in the terminal and in a paper."""
NETWORKS = {UNTRAINED: "the untrained network", SUPERVISED: "the supervised network"}
PAIRS = {
    "self": "self pairs",
    "visual": "pairs by image similarity",
    "oracle": "pairs by label",
    "same_day": "pairs of the same day",
}
"""Pairs by role, other than those by captions and at random."""
COLUMNS: tuple[str, ...] = ("method", "augmentation", "tag", "backbone", "length", "step")
"""What tells runs with the same pairs apart."""
AXES = ("method", "pairs", "augmentation", "tag", "arm", "encoder", "step")


class Words:
    """What the pairs of a study are called."""

    def __init__(self, settings: Report) -> None:
        self._roles, self._arms = settings.roles, settings.captions_of

    def role(self, method: str, pairs: str) -> str:
        """What a run is: untrained, supervised, external, or what its pairs are."""
        if method in (UNTRAINED, SUPERVISED, EXTERNAL):
            return method
        return self._roles.get(pairs, pairs if pairs in PAIRS else "language")

    def pairs(self, pairs: str) -> str:
        """Such as "self pairs" or "revised captions"."""
        role = self.role("", pairs)
        if role in PAIRS:
            return PAIRS[role]
        if role.startswith("random"):
            return role.replace("random", "random pairs", 1)
        arm = self._arms.get(pairs, pairs)
        return captions(arm) if arm == pairs else f"pairs “{visible(pairs)}” by {captions(arm)}"

    def run(self, row: Mapping[str, Any], differing: Sequence[str]) -> str:
        """Runs that differ in their seed alone: what they train on, and their values in ``differing`` columns."""
        told: tuple[str, ...] = ("tag", "backbone")
        if row["method"] in NETWORKS:
            name = NETWORKS[row["method"]].removeprefix("the ")
        elif row["method"] == EXTERNAL:
            name = "network from elsewhere"
        else:
            name, told = self.pairs(row["pairs"]), COLUMNS
        shown = [visible(row[column]) for column in told if column in differing and row[column]]
        return f"{name} ({', '.join(shown)})" if shown else name


def captions(arm: str) -> str:
    """The captions of an arm."""
    return f"{arm} captions" if arm in ADJECTIVES else f"captions “{visible(arm)}”"


def detail(axis: str, value: str) -> str:
    """A property of runs, such as "tag “long”"."""
    if axis == "tag":
        return f"tag “{visible(value)}”" if value else "no tag"
    return f"{axis} {visible(value)}" if axis in ("augmentation", "encoder", "step") else visible(value)


class Sides(NamedTuple):
    """The two sides of a plain difference in words, and what they have in common, such as a tag (may be empty)."""

    first: str
    second: str
    within: str

    def verb(self, plural: str) -> str:
        """A verb that agrees with the first side."""
        return f"{plural}s" if self.first in NETWORKS.values() else plural


def sides(asked: Asked, words_of: Words) -> Sides | None:
    """What is compared; None if it is not a plain difference of two sides, such as a slope or an interaction."""
    fixed = [[term for term in asked.terms if term.weight * sign > 0] for sign in (1, -1)]
    if asked.test == "slope" or abs(sum(term.weight for term in fixed[0]) - 1) > 1e-9:
        return None
    values = [{axis: {getattr(term, axis) for term in side} for axis in AXES} for side in fixed]
    differing = [axis for axis in AXES if values[0][axis] != values[1][axis]]
    if not differing or any(len(side[axis]) != 1 for axis in differing for side in values):
        return None
    alone = [{axis: min(side[axis]) for axis in AXES if len(side[axis]) == 1} for side in values]
    names = [_name(side, words_of) for side in alone]
    told = [
        [detail(axis, side[axis]) for axis in differing if axis not in ("pairs", "arm") and side[axis] is not None]
        if name not in NETWORKS.values()
        else []
        for name, side in zip(names, alone, strict=True)
    ]
    if not any(told) and all(name in {f"{one} captions" for one in ADJECTIVES} for name in names):
        names[1] = f"the {names[1].removesuffix(' captions')} ones"
    elif not all("captions" in name for name in names):
        names = [f"pairs by {name}" if "captions" in name and not name.startswith("pairs") else name for name in names]
    first, second = (" with ".join([name, *more]) for name, more in zip(names, told, strict=True))
    shared = [axis for axis in ("method", "augmentation", "tag", "encoder", "step") if axis not in differing]
    within = [detail(axis, alone[0][axis]) for axis in shared if alone[0].get(axis)]
    return Sides(first, second, ", ".join(within))


def _name(side: Mapping[str, str], words_of: Words) -> str:
    if side.get("method") in NETWORKS:
        return NETWORKS[side["method"]]
    pairs = side.get("pairs") or side.get("arm")
    return words_of.pairs(pairs) if pairs else "runs"


def asked_of(row: Mapping[str, Any], settings: Report, runs: Mapping[str, Mapping[str, Any]]) -> Asked:
    """The contrast of a row: as listed, or one pair table minus another, which is primary where a study lists none.

    Args:
        runs: rows of the summary by run.
    """
    listed = {asked.name: asked for asked in settings.contrasts}
    if row["contrast"] in listed:
        return listed[row["contrast"]]
    pairs = [{runs[one.rpartition(".")[0]]["pairs"] for one in row[side].split()} for side in ("plus", "minus")]
    plain = row["primary"] == "default" and all(len(one) == 1 for one in pairs)
    terms = [Term(weight=weight, pairs=min(one)) for weight, one in zip((1, -1), pairs, strict=True)] if plain else []
    return Asked(name=row["contrast"], terms=tuple(terms))
