"""Sentences of primary contrasts: each kind by its expected text, and none claims more than its verdict."""

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reporting.sections.test_contrasts import contrast
from tests.reporting.sections.test_headline import row as score
from workflow_scripts.reporting.answers import DEFAULT, NOTHING_LEARNED, Answer, answers, leaks, notes
from workflow_scripts.reporting.sections.contrasts import named
from workflow_scripts.reporting.settings import Report

METRICS = ("linear_probe.sklearn.accuracy", "linear_probe.lgssl.accuracy")
ROLES = {"self": "self", "oracle": "oracle", "random": "random"}
SUMMARY = [
    score(f"{pairs}{seed}", name, 0.5, pairs=pairs, seed=seed, metric=metric)
    for pairs in ("original", "revised")
    for seed in range(3)
    for name in ("a", "b", "mean")
    for metric in METRICS
]
OF_RUNS = {side: " ".join(f"{pairs}{seed}.last" for seed in range(3))
           for side, pairs in (("plus", "revised"), ("minus", "original"))}  # fmt: skip
CHANCE = {"verdict": "inconclusive", "reason": "the difference may be chance", "low": -0.02}


def asked(first: dict[str, Any], second: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": "n", "terms": [{"weight": 1, **first}, {"weight": -1, **second}], **more}


PLAIN = asked({"pairs": "revised"}, {"pairs": "original"})


def answer(listed: dict[str, Any] | None, metrics: tuple[str, ...] = METRICS, **row: Any) -> Answer:
    """The answer on a contrast that is listed so, or on the default one."""
    name = listed["name"] if listed else "revised - original"
    rows = [contrast(metric=metric, contrast=name, **{**OF_RUNS, **row}) for metric in metrics]
    report = Report.model_validate({"study": "s", "contrasts": [listed] if listed else [], "roles": ROLES})
    (found,) = answers(named(rows, "last"), SUMMARY, report)
    return found


OVER = ", over 3 seeds and 2 test sets"
OTHER = " (objective lgssl: 5.0 points [1.0, 9.0])"
SIGNED = "+5.0 points [+1.0, +9.0]"
EQUAL = asked({"pairs": "revised"}, {"method": "untrained"}, test="equivalence", margin=6.0)
CASES = [
    (PLAIN, {}, f"Revised captions beat the original ones by 5.0 points [1.0, 9.0] in the linear probe{OVER}{OTHER}: "
     "supported."),
    (None, {"primary": "default"}, f"Revised captions beat the original ones by 5.0 points [1.0, 9.0] in the linear "
     f"probe{OVER}{OTHER}: supported."),
    (PLAIN, {"difference": -0.05, "low": -0.09, "high": -0.01, "verdict": "contradicted"},
     f"Revised captions fall behind the original ones by 5.0 points [1.0, 9.0] in the linear probe{OVER}{OTHER}: "
     "contradicted."),
    (PLAIN, {"reason": "rests on x"}, f"Revised captions beat the original ones by 5.0 points [1.0, 9.0] in the linear "
     f"probe{OVER}{OTHER}: supported (rests on x)."),
    (asked({"pairs": "revised", "augmentation": "crop"}, {"pairs": "self", "augmentation": "simclr"}), {},
     "Pairs by revised captions with augmentation crop beat self pairs with augmentation simclr by 5.0 points "
     f"[1.0, 9.0] in the linear probe{OVER}{OTHER}: supported."),
    (asked({"pairs": "mine"}, {"pairs": "random"}), {}, "Pairs by captions “mine” beat random pairs by 5.0 points "
     f"[1.0, 9.0] in the linear probe{OVER}{OTHER}: supported."),
    (asked({"pairs": "revised", "tag": "long"}, {"pairs": "revised", "tag": ""}), {},
     "Revised captions with tag “long” beat revised captions with no tag by 5.0 points [1.0, 9.0] in the linear "
     f"probe{OVER}{OTHER}: supported."),
    (asked({"pairs": "revised", "tag": "short"}, {"method": "untrained", "tag": "short"}), {},
     "Pairs by revised captions beat the untrained network by 5.0 points [1.0, 9.0] in the linear probe (tag “short”)"
     f"{OVER}{OTHER}: supported."),
    (EQUAL, {}, "Pairs by revised captions and the untrained network differ by less than 6 points in the linear probe "
     f"({SIGNED}){OVER} (objective lgssl: {SIGNED}): supported."),
    (PLAIN | {"test": "slope", "name": "purity over log2"}, {}, "Along “purity over log2”, the linear probe rises by "
     f"5.0 points [1.0, 9.0] per unit{OVER}{OTHER}: supported."),
    ({**PLAIN, "name": "interaction", "terms": [{"weight": weight, "pairs": pairs, "augmentation": augmentation}
      for weight, pairs, augmentation in ((1, "revised", "crop"), (-1, "self", "crop"), (-1, "revised", "simclr"),
                                          (1, "self", "simclr"))]}, {},
     f"“interaction” is above 0 in the linear probe ({SIGNED}){OVER} (objective lgssl: {SIGNED}): supported."),
]  # fmt: skip


@pytest.mark.parametrize(("listed", "row", "expected"), CASES)
def test_each_kind_of_contrast_has_its_sentence(listed: Any, row: dict[str, Any], expected: str) -> None:
    assert answer(listed, **row).text == expected


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (CHANCE, ": +5.0 points [−2.0, +9.0], over 3 seeds and 2 test sets: inconclusive (the difference may be "
         "chance; smallest detectable effect 4.0 points if seeds and classes deviate as these do)."),
        ({**CHANCE, "reason": "no joint interval", "low": None, "high": None, "detectable": None, "n": 1},
         ": +5.0 points, over 1 seed and 2 test sets: inconclusive (no joint interval)."),
        ({"verdict": "not comparable", "reason": "different budget", "dataset": "a"},
         ": +5.0 points [+1.0, +9.0], over 3 seeds on a: not comparable (different budget)."),
        (dict.fromkeys(("difference", "low", "high", "detectable")) | {"verdict": "inconclusive", "reason": "why"},
         ": no difference was measured: inconclusive (why)."),
    ],
)  # fmt: skip
def test_an_open_contrast_says_why_and_what_could_be_found(row: dict[str, Any], expected: str) -> None:
    claim = "It is open whether revised captions beat the original ones in the linear probe"
    assert answer(PLAIN, METRICS[:1], **row).text == claim + expected


def test_the_smallest_detectable_effect_is_that_of_all_objectives() -> None:
    rows = [contrast(metric=metric, contrast="n", **OF_RUNS, **CHANCE, detectable=least)
            for metric, least in zip(METRICS, (0.04, 0.17), strict=True)]  # fmt: skip
    report = Report.model_validate({"study": "s", "contrasts": [PLAIN], "roles": ROLES})
    (found,) = answers(named(rows, "last"), SUMMARY, report)
    assert "smallest detectable effect 17.0 points" in found.text


def test_sets_that_chose_a_checkpoint_are_not_counted() -> None:
    assert ", over 3 seeds and 1 test set" in answer(PLAIN, chosen_on="b").text


NO_RUNS = {"method": "", "augmentation": "", "backbone": "", "dataset": "", "step": "", "level": "image", "n": 400}
NO_RUNS |= {"plus": "", "minus": ""}


@pytest.mark.parametrize(
    ("listed", "metric", "expected"),
    [
        (PLAIN | {"endpoint": "pair_purity"}, "pair_purity",
         "Revised captions beat the original ones by 5.0 points [1.0, 9.0] in the share of pairs with the same label"),
        (asked({"arm": "generated"}, {"arm": "original"}, endpoint="caption_score", judge="j"), "caption_score.j.x",
         "Generated captions beat the original ones by 0.05 [0.01, 0.09] in the centred caption score by judge “j”"),
        (asked({"arm": "generated"}, {"arm": "original"}, endpoint="flips", judge="j", test="equivalence", margin=10),
         "flips.j.x", "Less than 10 % of the replaced captions would be kept by judge “j”, if centred "
         f"({SIGNED})"),
        (asked({"pairs": None}, {"pairs": None}, endpoint="orderings"), "orderings.saliency.x",
         f"“n” is above 0 in the share of known orderings that saliency recovers ({SIGNED})"),
    ],
)  # fmt: skip
def test_captions_and_pairs_have_sentences_too(listed: Any, metric: str, expected: str) -> None:
    assert answer(listed, (metric,), **NO_RUNS).text == f"{expected}, over 400 images: supported."


REPORT = Report.model_validate({"study": "s", "roles": ROLES})


def test_a_default_primary_contrast_is_told() -> None:
    assert notes([answer(None, primary="default")], [], [], SUMMARY, REPORT) == [DEFAULT]
    assert notes([answer(PLAIN)], [], [], SUMMARY, REPORT) == notes([], [], [], [], REPORT) == []


@pytest.mark.parametrize(
    ("lows", "told"),
    [
        (((-0.01, -0.02), (-0.03, -0.03)), True),
        (((-0.01, -0.02), (0.02, 0.01)), False),
        (((0.02, -0.01), (-0.02, 0.01)), True),
        (((-0.01, None), (None, None)), True),
        (((0.02, None), (-0.01, -0.01)), True),
        (((None, None),), False),
    ],
)
def test_arms_that_do_not_beat_the_untrained_network_are_told(
    lows: tuple[tuple[float | None, ...], ...], told: bool
) -> None:
    untrained = [score(f"untrained{seed}", "a", 0.2, method="untrained", pairs="none", seed=seed) for seed in range(3)]
    minus = " ".join(f"untrained{seed}.last" for seed in range(3))
    of_arms = {"plus": OF_RUNS["plus"], "minus": minus, "primary": ""}
    rows = [
        contrast(contrast=f"arm {arm}", metric=metric, low=low, **of_arms)
        for arm, of_objectives in enumerate(lows)
        for metric, low in zip(METRICS, of_objectives, strict=True)
    ]
    rows.append(contrast(contrast="of arms", metric=METRICS[0], minus=OF_RUNS["minus"], low=0.3))
    rows.append(contrast(contrast="ceiling", metric=METRICS[0], plus="labels.last", minus=minus, low=0.6, primary=""))
    labels = score("labels", "a", 0.9, method="supervised", pairs="labels", seed=0)
    shown = notes([], named(rows, "last"), rows, [*SUMMARY, *untrained, labels], REPORT)
    assert shown == ([NOTHING_LEARNED] if told else [])


@pytest.mark.parametrize(
    ("epochs", "size", "more", "told"),
    [
        (10.0, 64, None, ""),
        (10.05, 64, None, ""),
        (12.5, 64, "first", "than the second (20 and 16 batches an epoch)"),
        (8.0, 64, "second", "than the first (25 and 20 batches an epoch)"),
        (8.0, 32, "first", "than the second (1,280 and 800 images an epoch)"),
    ],
)
def test_sides_that_learned_from_different_numbers_of_images_are_told(
    epochs: float, size: int, more: str | None, told: str
) -> None:
    own = {"original": {"epochs": epochs, "batch_size": size}}
    runs = [{**row, "batch_size": 64, "epochs": 10.0, **own.get(row["pairs"], {})} for row in SUMMARY]
    (primary,) = named([contrast(metric=METRICS[0], **OF_RUNS)], "last")
    found = notes([Answer("", "", "", primary.shown)], [], [], runs, REPORT)
    told = f"The {more} side of “revised − original” learned from more images {told}. common_images: true"
    assert len(found) == bool(more) and all(note.startswith(told) for note in found)


def test_test_images_among_the_study_s_are_told_from_one_per_cent_on() -> None:
    (told,) = leaks({"a": (11, 1000), "b": (10, 1000), "c": (0, 0)})
    assert told == "11 of 1,000 test images of a are nearly or exactly the study's: scores may be high."


def test_where_a_fitted_line_crosses_zero_is_told_as_exploratory() -> None:
    primary = contrast(contrast="x", metric=METRICS[0])
    line = [
        contrast(contrast=f"line at {at} - self", metric=METRICS[0], difference=value, low=value - 0.01,
                 high=value + 0.01, primary="", verdict="exploratory")
        for at, value in (("0", -0.1), ("1/2", 0.0), ("1", 0.1))
    ]  # fmt: skip
    (told,) = notes([], [], [primary, *line], [], REPORT)
    where = "on the line fitted to accuracy, language pairs overtake self pairs at 50 % [45, 55] faithful captions"
    assert told == f"Exploratory: {where}."
    assert notes([], [], [primary, *line[:2]], [], REPORT) == []


ENDS = st.one_of(st.none(), st.floats(-1, 1, allow_nan=False))


@settings(max_examples=25, deadline=None)
@given(
    verdict=st.sampled_from(["supported", "contradicted", "inconclusive", "not comparable"]),
    difference=st.floats(-1, 1, allow_nan=False).filter(bool),
    ends=st.tuples(ENDS, ENDS),
    expected=st.sampled_from([-1, 1]),
    listed=st.sampled_from([listed for listed, _, _ in CASES]),
)
def test_no_sentence_claims_more_than_its_verdict(
    verdict: str, difference: float, ends: tuple[float | None, float | None], expected: int, listed: Any
) -> None:
    more = {"primary": "declared" if listed else "default"}
    row = {"verdict": verdict, "difference": difference, "low": ends[0], "high": ends[1], "expected": expected}
    found = answer(listed, **row, **more)
    clear = verdict in ("supported", "contradicted")
    assert found.text.startswith("It is open whether ") != clear
    assert re.findall(r"supported|contradicted|inconclusive|not comparable", found.text) == [verdict]
