"""How often the sentences of claims are right: ``python -m tests.bench.claims``, minutes on one core.

Simulated studies with a known truth, of the demo's size, go through the project's own chain from scores to sentences
(``tests/claims/made_up.py`` has their deviations). The first table of a study has, for each primary contrast, the
shares of studies whose sentence says so, says the contrary, or leaves it open, and how often the joint intervals (under
both objectives) cover the truth. A small effect is the one that studies without effects call detectable, which 80 %
of studies are to find. "wrong" is the share of studies with any wrong statement, at most 5 %. The second table has how
often the interval covers the share at which language pairs overtake self pairs or, of C1, the share of faithful titles,
the interval's width, and how often each kind of text is said.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np

from tests.claims.designs import C1, C8, CELLS, CONTRASTS, DIMENSIONS, DOSES, RUNS
from tests.claims.made_up import START, Means, drawn, flips, orderings_of, purity, scored, study, truth
from workflow_scripts.claims.catalogue import CLAIMS, Claim, Part
from workflow_scripts.claims.findings import MIXTURE, Found
from workflow_scripts.claims.sentences import clauses
from workflow_scripts.evaluation.contrasts.settings import Contrast, SummaryRun
from workflow_scripts.evaluation.contrasts.verdicts import CONTRADICTED, INCONCLUSIVE, SUPPORTED
from workflow_scripts.reporting.crossing import LINES, crossings

LARGE, SLOPE, PER_DOUBLING = 0.2, 0.2, 0.04
MARGIN = 0.05
TEXTS = "overtake", "fall behind", "may equal", "at every share"
"""Parts of what is said of a crossing."""
BY_CLAIM = {claim.name.lower(): claim for claim in CLAIMS}


class Case(NamedTuple):
    """Studies with one truth.

    Attributes:
        what: the truth, in words.
        found: a study, made at random.
        truths: of each primary contrast; nan where only the verdict is looked at.
    """

    study: str
    what: str
    found: Callable[[np.random.Generator], Found]
    truths: dict[str, float]


def claim_of(name: str) -> Claim:
    return BY_CLAIM[name.partition("-")[0]]


def of_runs(name: str, what: str, means: Means) -> Case:
    """A case of a study whose contrasts are all of runs."""
    contrasts, runs = CONTRASTS[name], RUNS[name]
    truths = {contrast.name: truth(contrast, runs, means) for contrast in contrasts if contrast.primary}
    return Case(name, what, lambda rng: study(f"claims-demo-{name}", contrasts, runs, drawn(rng, runs, means)), truths)


@cache
def small(name: str) -> dict[str, float]:
    """The effect of each primary contrast that studies without effects call detectable: the median of 40 studies."""
    rng, flat = np.random.default_rng([31, 0]), of_runs(name, "", lambda _: START)
    found: dict[str, list[float]] = {}
    for _ in range(40):
        for row in flat.found(rng).contrasts:
            if row["primary"] and row["detectable"] is not None:
                found.setdefault(row["contrast"], []).append(row["detectable"])
    return {contrast: float(np.median(values)) for contrast, values in found.items()}


def replaced() -> Iterator[Case]:
    least = small("c2")["revised - original"]
    for what, effect in (("no effect", 0.0), ("small", least), ("large", LARGE), ("harm", -LARGE)):
        yield of_runs("c2", what, lambda run, effect=effect: START + effect * (run.pairs == "revised"))  # type: ignore[misc]


def doses() -> Iterator[Case]:
    """Language starts as an untrained network does, or at the margin above it; self is where the line crosses it."""
    least = small("c3")["slope over the share of faithful captions"]
    for what, slope, at_self, above in (
        ("no slope, self below", 0.0, -0.05, 0.0),
        ("small slope, self below", least, -0.05, 0.0),
        ("crossing at .25", SLOPE, 0.25 * SLOPE, 0.0),
        ("crossing at .6", SLOPE, 0.6 * SLOPE, 0.0),
        ("crossing at -.3", SLOPE, -0.3 * SLOPE, 0.0),
        ("crossing at 1.3", SLOPE, 1.3 * SLOPE, 0.0),
        ("falling, crossing at .5", -SLOPE, -0.5 * SLOPE, 0.0),
        ("different by the margin", SLOPE, 0.5 * SLOPE, MARGIN),
    ):

        def means(run: SummaryRun, slope: float = slope, at_self: float = at_self, above: float = above) -> float:
            known = {"self": at_self, "none": -above}
            return START + known.get(run.pairs, slope * DOSES.get(run.pairs, 0.0))

        yield of_runs("c3", what, means)


def cells() -> Iterator[Case]:
    least = small("c3-cells")
    for what, precision, coverage, both in (
        ("no effect", 0.0, 0.0, 0.0),
        ("small", least["slope over precision"], 0.0, 0.0),
        ("large, no interaction", LARGE, LARGE, 0.0),
        ("only together", 0.0, 0.0, 0.4),
    ):

        def means(run: SummaryRun, p: float = precision, c: float = coverage, both: float = both) -> float:
            own, of = CELLS[run.pairs]
            return START + p * own + c * of + both * own * of

        yield of_runs("c3-cells", what, means)


def lengths() -> Iterator[Case]:
    least = small("c4")["later - earlier (language - self)"]
    for what, language, of_self in (
        ("no effect", 0.0, 0.0),
        ("small", 0.0, least),
        ("overfitting", -0.1, 0.1),
        ("both rise", 0.15, 0.15),
        ("language rises more", 0.2, 0.05),
    ):
        gains = {"revised": language, "self": of_self}
        yield of_runs("c4", what, lambda run, gains=gains: START + gains[run.pairs] * (run.tag == "long"))  # type: ignore[misc]


def dimensions() -> Iterator[Case]:
    contrasts, runs = CONTRASTS["c5"], RUNS["c5"]
    for what, of_purity, accuracy in (("no effect", 0.0, 0.0), ("large", PER_DOUBLING, PER_DOUBLING),
                                      ("purity alone", PER_DOUBLING, 0.0)):  # fmt: skip

        def means(run: SummaryRun, slope: float = accuracy) -> float:
            return START + slope * (DIMENSIONS[run.pairs] - 3)

        def found(rng: np.random.Generator, slope: float = of_purity, means: Means = means) -> Found:
            shares = {pairs: 0.5 + slope * (at - 3) for pairs, at in DIMENSIONS.items()}
            ends = [(contrasts[0], purity(rng, contrasts[0], shares))]
            return study("claims-demo-c5", contrasts, runs, drawn(rng, runs, means), ends)

        yield Case("c5", what, found, {contrasts[0].name: of_purity, contrasts[1].name: accuracy})


def two_by_two() -> Iterator[Case]:
    for what, pairs, augmentation, both in (
        ("no effect", 0.0, 0.0, 0.0),
        ("small effect of pairs", small("c7")["pairs (language - self)"], 0.0, 0.0),
        ("main effects", 0.1, 0.1, 0.0),
        ("interaction", 0.1, 0.0, 0.2),
    ):

        def means(run: SummaryRun, p: float = pairs, a: float = augmentation, both: float = both) -> float:
            of_language, simclr = (run.pairs == "revised") - 0.5, (run.augmentation == "simclr") - 0.5
            return START + p * of_language + a * simclr - both * of_language * simclr

        yield of_runs("c7", what, means)


def metrics() -> Iterator[Case]:
    (contrast,), runs = CONTRASTS["c6"], RUNS["c6"]
    for metric, value in (("true", 0.5), ("noise", 0.0), ("extremes", 0.0)):

        def found(rng: np.random.Generator, metric: str = metric) -> Found:
            return study("claims-demo-c6", [contrast], (), None, [(contrast, orderings_of(rng, runs, metric))])

        yield Case("c6", metric, found, {contrast.name: value})


def style() -> Iterator[Case]:
    for share in (0.02, 0.05, 0.08):

        def found(rng: np.random.Generator, share: float = share) -> Found:
            ends = [(contrast, flips(rng, contrast, share)) for contrast in C8]
            return study("claims-demo-c8", C8, (), None, ends)

        yield Case("c8", f"{100 * share:.0f} % flips", found, {contrast.name: share for contrast in C8})


def captions() -> Iterator[Case]:
    for share in (0.35, 0.0, 1.0):

        def found(rng: np.random.Generator, share: float = share) -> Found:
            return study("claims-demo-c1", C1, (), None, scored(rng, C1, share))

        truths = {"generated - original": 1.5 * (1 - share), "original - shuffled": 1.5 * share}
        yield Case("c1", f"{100 * share:.0f} % of titles", found, truths)


GROUPS: dict[str, Callable[[], Iterator[Case]]] = {
    "c1": captions, "c2": replaced, "c3": doses, "c3-cells": cells, "c4": lengths, "c5": dimensions, "c6": metrics,
    "c7": two_by_two, "c8": style,
}  # fmt: skip


def said(claim: Claim, found: Found) -> dict[str, str]:
    """What a study's clauses say of its primary contrasts."""
    told = clauses(claim, found)
    return {part.contrast: _said(part, told.pop(0)) for part in claim.parts if found.primary(part.contrast)}


def _said(part: Part, clause: str) -> str:
    texts = {INCONCLUSIVE: part.inconclusive, SUPPORTED: part.supported, CONTRADICTED: part.contradicted}
    starts = {verdict: f"{text} (".partition("the margin")[0] for verdict, text in texts.items()}
    (verdict,) = [verdict for verdict, start in starts.items() if clause.startswith(start)]
    return verdict


def is_wrong(contrast: Contrast, truth: float, verdict: str) -> bool:
    """Whether a verdict says what is not so; an open one never does."""
    if contrast.least is not None:
        beyond = abs(truth) - contrast.least
        return (verdict == SUPPORTED and beyond >= -1e-9) or (verdict == CONTRADICTED and beyond <= 1e-9)
    right = SUPPORTED if truth * contrast.expected > 0 else CONTRADICTED
    return verdict != INCONCLUSIVE and (abs(truth) < 1e-9 or verdict != right)


class Outcome(NamedTuple):
    """Of the studies of a case: verdicts (n, contrasts), coverage (n, contrasts) and whether any is wrong (n,)."""

    verdicts: np.ndarray
    covered: np.ndarray
    wrong: np.ndarray
    studies: list[Found]


def outcome(case: Case, studies: int, seed: Sequence[int]) -> Outcome:
    rng, claim = np.random.default_rng(seed), claim_of(case.study)
    contrasts = {contrast.name: contrast for contrast in CONTRASTS[case.study]}
    verdicts, covered, wrong, found = [], [], [], []
    for _ in range(studies):
        made = case.found(rng)
        told = said(claim, made)
        verdicts.append([told[name] for name in case.truths])
        covered.append([
            np.mean([row["low"] <= value <= row["high"] for row in made.primary(name) if row["low"] is not None] or [1])
            for name, value in case.truths.items()
        ])  # fmt: skip
        wrong.append(any(is_wrong(contrasts[name], value, told[name]) for name, value in case.truths.items()))
        found.append(made)
    return Outcome(np.array(verdicts), np.array(covered), np.array(wrong), found)


def lines(case: Case, found: Outcome) -> Iterator[str]:
    for at, (name, value) in enumerate(case.truths.items()):
        shares = [
            f"{np.mean(found.verdicts[:, at] == verdict):.3f}" for verdict in (SUPPORTED, CONTRADICTED, INCONCLUSIVE)
        ]
        head = f"| {case.study} | {case.what} | {name} | {value:+.3f} | {' | '.join(shares)} |"
        yield f"{head} {found.covered[:, at].mean():.3f} | {found.wrong.mean():.3f} |"


def crossing_lines(case: Case, found: Outcome) -> Iterator[str]:
    """Of C3, where language overtakes self; of C1, the share of faithful titles."""
    at = {"c3": case.what.rpartition(" ")[2] if "crossing" in case.what else "", "c1": case.what.partition(" ")[0]}
    if not at.get(case.study):
        return
    truth = float(at[case.study]) / (100 if case.study == "c1" else 1)
    for suffix in ("", " (short)") if case.study == "c3" else ("",):
        line = LINES if case.study == "c3" else MIXTURE
        every = [crossing for study in found.studies for crossing in crossings(study.contrasts, line, suffix)]
        ends = [(crossing.low, crossing.high) for crossing in every]
        inside = [(low, high) for low, high in ends if low is not None and high is not None]
        covers = [low - 5e-4 <= truth <= high + 5e-4 for low, high in inside]
        kinds = [sum(word in crossing.text for crossing in every) / len(every) for word in TEXTS]
        width = np.median([high - low for low, high in inside]) if inside else np.nan
        head = f"| {case.study} | {case.what}{suffix} | {sum(covers) / len(every):.3f} | {width:.2f} |"
        yield f"{head} {' | '.join(f'{kind:.3f}' for kind in kinds)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=400)
    parser.add_argument("--only", nargs="*", choices=GROUPS, default=list(GROUPS))
    given = parser.parse_args()
    for name in given.only:
        more: list[str] = []
        print("| study | truth | contrast | value | so | contrary | open | covers | wrong |")
        print("|---|---|---|--:|--:|--:|--:|--:|--:|")
        for number, case in enumerate(GROUPS[name]()):
            found = outcome(case, given.studies, [32, list(GROUPS).index(name), number])
            print("\n".join(lines(case, found)), flush=True)
            more += crossing_lines(case, found)
        if more:
            print(f"\n| study | truth | covers | width | {' | '.join(TEXTS)} |\n|---|---|--:|--:|{'--:|' * len(TEXTS)}")
            print("\n".join([*more, ""]), flush=True)


if __name__ == "__main__":
    main()
