"""Arms whose captions judges choose."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError

from workflow_scripts.captions.arm_kind import ArmInputs
from workflow_scripts.captions.arm_rows import arm_table
from workflow_scripts.captions.arms.revised import ARM_KIND, Revised
from workflow_scripts.captions.scores import COLUMNS
from workflow_scripts.core.errors import PipelineError

PAIR = {"original": "a", "replacement": "b"}
NEW = ["new", "new", "new", "", "new", "new"]
OLD = ["old", "old", "old", "old", "", "old"]


def rows(texts: list[str], origin: str) -> pa.Table:
    images = {"key": [f"k{n}" for n in range(len(texts))], "subreddit": ["x"] * len(texts), "year": [2020] * len(texts)}
    known = pa.array(np.arange(len(texts)), pa.float32())
    return arm_table(pa.table(images), texts, [origin] * len(texts), known, known)


def table(raw: list[float | None], z: list[float | None], name: str = "fit") -> pa.Table:
    values = dict(zip([f"{name}{ending}" for ending in COLUMNS], (raw, z, raw, z), strict=True))
    return pa.table({"random_image": [0] * len(raw), **{one: pa.array(of, pa.float32()) for one, of in values.items()}})


def inputs(*judges: tuple[list[float | None], list[float | None]], calibrations: Any = None) -> ArmInputs:
    """Judges j0, j1 and so on, by the raw and standardised gains of the replacement; the original scores 1."""
    scores = {}
    for number, (raw, z) in enumerate(judges):
        known = [None if one is None else 1.0 for one in raw]
        scores[f"j{number}", "a"] = table(known, [0.0] * len(raw))
        scores[f"j{number}", "b"] = table([None if one is None else one + 1.0 for one in raw], z)
    arms = {"a": rows(OLD, "original"), "b": rows(NEW, "generated")}
    return ArmInputs(pa.table({}), arms, None, scores, calibrations or {})


def chosen(given: ArmInputs, **settings: object) -> str:
    """Which caption each image gets: n(ew) or o(ld); the rest of the row must be that of the same arm."""
    arm = ARM_KIND.select(given, Revised.model_validate({**PAIR, **settings}))
    for place, row in enumerate(arm.to_pylist()):
        assert row in (given.arms["a"].to_pylist()[place], given.arms["b"].to_pylist()[place])
    return "".join(origin[0].replace("g", "n") for origin in arm["origin"].to_pylist())


GAINS = ([0.5, 1.5, -1.0, 9.0, -9.0, None], [-1.0, 2.0, 0.0, 9.0, -9.0, None])


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, "nnoono"),  # the fourth new caption is empty, the fifth original is; the sixth has no scores
        ({"margin": 0.5}, "onoono"),
        ({"margin": -1.5}, "nnnono"),
        ({"standardised": True}, "onoono"),
        ({"threshold": 1.5}, "nnnono"),
        ({"margin": 2.0, "threshold": 1.0}, "oooono"),
    ],
)
def test_one_judge(settings: dict[str, object], expected: str) -> None:
    assert chosen(inputs(GAINS), judge="j0", **settings) == expected


def test_images_without_scores_of_both_captions_are_counted() -> None:
    given = inputs(GAINS)
    chosen(given, judge="j0")
    assert given.counts == {"images_without_scores": 1}


def test_several_judges() -> None:
    flat: list[float | None] = [0.0] * 6
    against = ([-1.0, -1.0, 1.0, 1.0, 1.0, 1.0], flat)
    judges = ["j0", "j1", "j2"]
    assert chosen(inputs(GAINS, against), judge=judges[:2]) == "oooonn", "ties keep the original"
    assert chosen(inputs(GAINS, against, against), judge=judges) == "oononn"
    assert chosen(inputs(GAINS), judge=["j0"]) == chosen(inputs(GAINS), judge="j0")
    # One judge's gain of 1.5 is among its highest ranks, the others' losses are average ones.
    assert chosen(inputs(GAINS, against), judge=judges[:2], combine="mean_rank")[1] == "n"


def test_a_judge_with_several_scores() -> None:
    given = inputs(GAINS)
    for arm in ("a", "b"):
        both, other = given.scores["j0", arm], table([0.0] * 6, [0.0] * 6, "other")
        for name in other.column_names[1:]:
            both = both.append_column(name, other[name])
        given.scores["j0", arm] = both  # type: ignore[index]
    assert chosen(given, judge="j0", score="fit") == "nnoono"
    assert chosen(given, judge="j0", score="other") == "oooono"


def test_a_calibrated_margin_is_that_of_the_judge_and_kind() -> None:
    found = {"fit": {"raw": {"margin": {"value": 1.0, "n": 20}}, "standardised": {"margin": {"value": -3.0, "n": 20}}}}
    given = inputs(GAINS, calibrations={"j0": found})
    assert chosen(given, judge="j0", margin="calibrated") == chosen(given, judge="j0", margin=1.0) == "onoono"
    assert chosen(given, judge="j0", margin="calibrated", standardised=True) == "nnnono"
    few = inputs(GAINS, calibrations={"j0": {"fit": {"raw": {"margin": {"n": 3}}}}})
    with pytest.raises(PipelineError, match="no calibrated margin in j0, raw fit: 3 images"):
        chosen(few, judge="j0", margin="calibrated")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"standardised": True}, "standardised has no effect without a judge"),
        ({"original": "a"}, "original has no effect without a judge"),
        ({"judge": "j0"}, "a judge compares two arms"),
        ({"judge": "j0", "original": "a", "replacement": "a"}, "a judge compares two arms"),
        ({"judge": "j0", **PAIR, "best_by": "itc"}, "best_by has no effect with a judge"),
        ({"judge": ["j0", "j0"], **PAIR}, "name each judge once"),
        ({"judge": "j0", **PAIR, "combine": "mean_rank"}, "combine has no effect on one judge"),
        ({"judge": ["j0", "j1"], **PAIR, "combine": "mean_rank", "margin": "calibrated"}, "not of ranks"),
        ({"judge": []}, "at least 1 item"),
        ({"judge": ["j0", "j1"], **PAIR, "margin": 0.5}, "one margin can't fit"),
        ({"judge": ["j0", "j1"], **PAIR, "threshold": 0.5}, "one threshold can't fit"),
        ({"judge": ["j0", "j1"], **PAIR, "combine": "mean_rank", "threshold": 3.0}, "a number from 0 to 1"),
        ({"margin": "calibratd"}, "margin"),
    ],
)
def test_settings_that_contradict_each_other(settings: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Revised.model_validate(settings)
