"""Arms whose captions a judge chooses."""

import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError

from workflow_scripts.captions.arm_kind import ArmInputs
from workflow_scripts.captions.arm_rows import arm_table
from workflow_scripts.captions.arms.revised import ARM_KIND, Revised
from workflow_scripts.captions.scores import COLUMNS

PAIR = {"original": "a", "replacement": "b"}
NEW = ["new", "new", "new", "", "new", "new"]
OLD = ["old", "old", "old", "old", "", "old"]


def rows(texts: list[str], origin: str) -> pa.Table:
    images = {"key": [f"k{n}" for n in range(len(texts))], "subreddit": ["x"] * len(texts), "year": [2020] * len(texts)}
    known = pa.array(np.arange(len(texts)), pa.float32())
    return arm_table(pa.table(images), texts, [origin] * len(texts), known, known)


def table(raw: list[float | None], z: list[float | None], name: str = "fit") -> pa.Table:
    values = dict(zip([f"{name}{ending}" for ending in COLUMNS], (raw, z, raw, z, [0.0] * len(raw)), strict=True))
    return pa.table({"random_image": [0] * len(raw), **{one: pa.array(of, pa.float32()) for one, of in values.items()}})


def inputs(raw: list[float | None], z: list[float | None]) -> ArmInputs:
    """A judge, by its raw and centred gains of the replacement; the original scores 1."""
    scores = {
        ("judge", "a"): table([None if gain is None else 1.0 for gain in raw], [0.0] * len(raw)),
        ("judge", "b"): table([None if gain is None else gain + 1.0 for gain in raw], z),
    }
    return ArmInputs(pa.table({}), {"a": rows(OLD, "original"), "b": rows(NEW, "generated")}, None, scores)


def chosen(given: ArmInputs, **settings: object) -> str:
    """Which caption each image gets: n(ew) or o(ld); the rest of the row must be that of the same arm."""
    arm = ARM_KIND.select(given, Revised.model_validate({**PAIR, **settings}))
    for place, row in enumerate(arm.to_pylist()):
        assert row in (given.arms["a"].to_pylist()[place], given.arms["b"].to_pylist()[place])
    return "".join(origin[0].replace("g", "n") for origin in arm["origin"].to_pylist())


def test_equal_captions_are_never_replaced() -> None:
    given = inputs([1e-7] * 6, [1.0] * 6)
    given.arms["b"] = given.arms["b"].set_column(3, "caption", pa.array(["old", "new", *NEW[2:]]))
    assert chosen(given, judge="judge") == "onnonn"
    assert chosen(given, judge="judge", threshold=9.0, margin=-1.0) == "onnonn"


GAINS = ([0.5, 1.5, -1.0, 9.0, -9.0, None], [-1.0, 2.0, 0.0, 9.0, -9.0, None])


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, "nnoono"),  # the fourth new caption is empty, the fifth original is; the sixth has no scores
        ({"margin": 0.5}, "onoono"),
        ({"margin": -1.5}, "nnnono"),
        ({"centred": True}, "onoono"),
        ({"threshold": 1.5}, "nnnono"),
        ({"margin": 2.0, "threshold": 1.0}, "oooono"),
    ],
)
def test_a_judge_chooses_captions_by_margin_and_threshold(settings: dict[str, object], expected: str) -> None:
    assert chosen(inputs(*GAINS), judge="judge", **settings) == expected


def test_images_without_scores_of_both_captions_are_counted() -> None:
    given = inputs(*GAINS)
    chosen(given, judge="judge")
    assert given.counts == {"images_without_scores": 1}


def test_the_score_of_a_judge_with_several_is_selected_by_name() -> None:
    given = inputs(*GAINS)
    for arm in ("a", "b"):
        both, other = given.scores["judge", arm], table([0.0] * 6, [0.0] * 6, "other")
        for name in other.column_names[1:]:
            both = both.append_column(name, other[name])
        given.scores["judge", arm] = both  # type: ignore[index]
    assert chosen(given, judge="judge", score="fit") == "nnoono"
    assert chosen(given, judge="judge", score="other") == "oooono"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"centred": True}, "centred has no effect without a judge"),
        ({"original": "a"}, "original has no effect without a judge"),
        ({"judge": "judge"}, "a judge compares two arms"),
        ({"judge": "judge", "original": "a", "replacement": "a"}, "a judge compares two arms"),
        ({"judge": ["a", "b"]}, "judge"),
        ({"margin": "calibrated"}, "margin"),
    ],
)
def test_settings_that_contradict_each_other(settings: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Revised.model_validate(settings)
