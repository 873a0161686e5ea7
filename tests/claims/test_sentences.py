"""The sentence of each claim by verdict, and what an open contrast needs."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from tests.claims.designs import C1, CONTRASTS, DOSES, RUNS
from tests.claims.made_up import START, drawn, scored, study
from workflow_scripts.claims.catalogue import CLAIMS, ORDER, SCALES, Claim, Part
from workflow_scripts.claims.findings import Found, Row
from workflow_scripts.claims.sentences import clauses, needed, sentence
from workflow_scripts.evaluation.contrasts.settings import Contrast
from workflow_scripts.evaluation.contrasts.verdicts import MAY_MATTER

ROW = {"difference": 0.052, "low": 0.01, "high": 0.094, "level": "joint", "tag": "", "dataset": "concept", "n": 3,
       "primary": "declared", "reason": "", "plus": "a.last", "minus": "b.last", "p_adjusted": 0.01,
       "detectable": 0.04, "half_without_seeds": 0.0}  # fmt: skip
LENGTHS = [{"run": run, "trained_steps": 400} for run in "ab"]
WITHIN = Contrast(name="within", minuend="a", subtrahend="b", test="equivalence", margin=5.0)
PARTS = [(claim, part) for claim in CLAIMS for part in claim.parts]
OF_CLAIM = {claim.name: claim for claim in CLAIMS}


def of(part: Part, verdict: str, objectives: int = 2, name: str = "claims-demo-x", **more: object) -> Found:
    """A study with one primary contrast."""
    rows: list[Row] = [
        {**ROW, "contrast": part.contrast, "metric": f"linear_probe.{at}", "verdict": verdict, **more}
        for at in range(objectives)
    ]
    return replace(study(name, []), rows=LENGTHS, contrasts=rows)


def test_every_claim_has_a_place_in_the_order() -> None:
    assert sorted(ORDER) == [claim.name for claim in CLAIMS] == [f"C{number}" for number in range(1, 9)]


@pytest.mark.parametrize(("claim", "part"), PARTS, ids=[f"{claim.name} {part.contrast}" for claim, part in PARTS])
@pytest.mark.parametrize("verdict", ["supported", "contradicted", "inconclusive", "not comparable"])
def test_a_clause_says_what_its_verdict_allows(claim: Claim, part: Part, verdict: str) -> None:
    (clause,) = clauses(claim, of(part, verdict, reason="" if verdict == "supported" else "by chance"))
    numbers = "+5.2 [+1.0, +9.4]" if part.scale == 100 else "+0.052 [+0.01, +0.094]"
    numbers = numbers.replace("+", "") if part.unit == "%" else numbers
    brackets = f"({numbers} and {numbers} {part.unit}, 400 steps{'' if verdict == 'supported' else ', by chance'})"
    texts = {"supported": part.supported, "contradicted": part.contradicted, "inconclusive": part.inconclusive,
             "not comparable": f"{part.inconclusive}, since the runs are not comparable"}  # fmt: skip
    assert clause == f"{texts[verdict]} {brackets}"
    assert (part.supported in clause.replace(part.inconclusive, "")) == (verdict == "supported")


@pytest.mark.parametrize(("claim", "part"), PARTS, ids=[f"{claim.name} {part.contrast}" for claim, part in PARTS])
def test_texts_by_verdict_differ(claim: Claim, part: Part) -> None:
    texts = [part.supported, part.contradicted, part.inconclusive]
    assert len(set(texts)) == 3 and part.inconclusive.startswith("it is unclear whether ")


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.name)
@pytest.mark.parametrize("scale", SCALES)
def test_a_sentence_says_where_and_what_is_built_in(claim: Claim, scale: str) -> None:
    told = sentence(claim, scale, [of(claim.parts[0], "supported")])
    assert told.startswith(f"{SCALES[scale]}, {claim.parts[0].supported} (")
    built_in = f" The world has this built in: {claim.built_in}."
    assert told.endswith(built_in) == bool(claim.built_in and scale == "demo")
    assert told.count("built in") == (claim.built_in != "" and scale == "demo")
    assert sentence(claim, scale, []) == f"{SCALES[scale]}, there is no result yet."


def test_a_number_without_interval_stands_alone() -> None:
    (clause,) = clauses(
        OF_CLAIM["C2"], of(OF_CLAIM["C2"].parts[0], "inconclusive", 1, low=None, high=None, reason="two seeds")
    )
    assert clause == f"{OF_CLAIM['C2'].parts[0].inconclusive} (+5.2 points, 400 steps, two seeds)"


def test_a_figure_without_runs_has_no_steps() -> None:
    (clause,) = clauses(OF_CLAIM["C8"], of(OF_CLAIM["C8"].parts[0], "supported", 1, level="image", plus="", minus=""))
    assert clause == "fewer than 5 % of the replacements by the judge blip2 are due to style (5.2 [1.0, 9.4] %)"


def test_an_equivalence_stays_open_where_its_intervals_lie_beyond_the_margin() -> None:
    part = OF_CLAIM["C8"].parts[0]
    found = of(part, "inconclusive", reason=MAY_MATTER, low=0.06, high=0.2)
    (clause,) = clauses(OF_CLAIM["C8"], replace(found, settings={part.contrast: WITHIN}))
    assert clause.startswith("it is unclear") and MAY_MATTER in clause


def test_an_effect_that_rests_on_collapsed_runs_says_so() -> None:
    part, reason = OF_CLAIM["C2"].parts[0], "rests on runs that look collapsed: a"
    (clause,) = clauses(OF_CLAIM["C2"], of(part, "supported", reason=reason))
    assert clause.startswith(part.supported) and clause.endswith(f"{reason})")


def test_a_study_with_another_captioner_says_so() -> None:
    part = OF_CLAIM["C2"].parts[0]
    studies = [
        of(part, "supported", name="claims-demo-c2"),
        of(part, "inconclusive", name="claims-demo-c2-captioner75"),
    ]
    told = sentence(OF_CLAIM["C2"], "demo", studies)
    assert told.count("captioner that names") == 1
    assert "; with a captioner that names 75 % of concepts right, it is unclear whether replacing titles by" in told


def test_the_effect_of_pairs_is_told_for_each_augmentation() -> None:
    pairs, _, interaction = (of(part, "supported") for part in OF_CLAIM["C7"].parts)
    (mean, *_), (change, *_) = pairs.contrasts, interaction.contrasts
    both = replace(pairs, contrasts=[{**mean, "difference": 0.12}, {**change, "difference": 0.34}])
    expected = "language minus self pairs is +29 points with cropping alone and −5 with SimCLR's augmentation"
    assert clauses(OF_CLAIM["C7"], both)[-1] == expected
    assert expected not in clauses(OF_CLAIM["C7"], pairs)


def test_an_exploratory_contrast_says_nothing() -> None:
    part = OF_CLAIM["C2"].parts[0]
    assert clauses(OF_CLAIM["C2"], of(part, "exploratory", primary="")) == []


@pytest.mark.parametrize(
    ("at_self", "text"), [(0.1, "overtake self pairs"), (-0.2, "above self pairs at every"), (0.4, "below")]
)
def test_the_sentence_says_where_language_overtakes_self_at_both_lengths(at_self: float, text: str) -> None:
    def mean(run: object) -> float:
        return START + {"self": at_self}.get(run.pairs, 0.2 * DOSES.get(run.pairs, 0))  # type: ignore[attr-defined]

    rng = np.random.default_rng(3)
    found = study("claims-demo-c3", CONTRASTS["c3"], RUNS["c3"], drawn(rng, RUNS["c3"], mean))
    *_, full, short = clauses(OF_CLAIM["C3"], found)
    assert full.startswith("on the line fitted to accuracy, language pairs ")
    assert short.startswith("on the line fitted to accuracy after the short training, language pairs ")
    assert text in full and text in short
    for told in (full, short):
        _, both, other = told.partition(" (by the probe's other objective, they overtake self pairs at ")
        assert bool(both) == (at_self == 0.1) and (not both or other.endswith(" faithful captions)"))


@pytest.mark.parametrize(("faithful", "least", "most"), [(0.35, 25, 45), (0.0, 0, 8), (1.0, 92, 100)])
def test_the_judge_sees_a_share_of_titles_as_faithful(faithful: float, least: int, most: int) -> None:
    found = study("claims-demo-c1", C1, (), None, scored(np.random.default_rng(1), C1, faithful))
    told = clauses(OF_CLAIM["C1"], found)[-1]
    assert told.startswith("the judge scores titles as if ") and told.endswith(
        " of them fitted like generated captions and the rest belonged to other images"
    )
    value, low, high = (float(number.strip("%[],")) for number in told.split() if number.strip("%[],").isdigit())
    assert low <= value <= high and least <= value <= most


def test_trainings_that_an_open_contrast_needs_follow_the_root_of_the_number_of_seeds() -> None:
    row = {**ROW, "plus": "a-s0.last a-s1.last a-s2.last", "minus": "b-s0.last b-s1.last b-s2.last"}
    assert needed(row, 0.02) == (12, 18)
    assert needed(row, 0.02, arms=3) == (12, 27)  # of a slope, one arm has the weight 0
    assert needed(row, 0.04) is None


def test_what_classes_leave_open_no_number_of_seeds_decides() -> None:
    row = {**ROW, "plus": "a-s0.last", "minus": "b-s0.last", "half_without_seeds": 0.021}
    assert needed(row, 0.02) == (math.inf, math.inf)
    half = needed(row, 0.03)
    assert half is not None and half[0] == math.ceil(3 * (0.04**2 - 0.02**2) / (0.03**2 - 0.02**2))


def test_an_effect_is_found_with_the_seeds_that_it_needs() -> None:
    """Against the noncentral t of a mean of differences, of which three seeds have been seen."""
    sd, seeds, wanted = 0.02, 3, 0.02

    def least(n: int) -> float:
        grid = np.linspace(0.001, 0.3, 3000)
        power = stats.nct.sf(stats.t.ppf(0.975, n - 1), n - 1, grid * np.sqrt(n) / sd)
        return float(grid[np.searchsorted(power, 0.8)])

    found = needed({**ROW, "detectable": least(seeds)}, wanted)
    assert found is not None and least(int(found[0])) <= wanted
    fewest = next(n for n in range(3, 100) if least(n) <= wanted)
    assert fewest <= found[0]  # it never promises too much


@pytest.mark.parametrize(
    "changes", [{"detectable": None}, {"level": "image"}, {"plus": "", "minus": ""}], ids=["none", "images", "no runs"]
)
def test_no_number_of_trainings_is_given_where_none_follows(changes: dict[str, object]) -> None:
    assert needed({**ROW, **changes}, 0.02) is None


def test_checkpoints_of_one_training_count_once() -> None:
    steps = " ".join(f"a-s{seed}.step-{step}" for seed in range(3) for step in (10, 20, 30))
    assert needed({**ROW, "plus": steps, "minus": ""}, 0.02) == (12, 9)
