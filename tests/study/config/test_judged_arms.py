"""Arms that judges choose, in a config."""

import re
from typing import Any

import pytest

from tests.study.config.configs import changed, merged
from workflow_scripts.core.errors import PipelineErrors
from workflow_scripts.study.config.sections import Study
from workflow_scripts.study.config.study import load_study
from workflow_scripts.study.units import Units

BLIP2, CLIP = {"name": "blip2", "kind": "blip2"}, {"name": "clip", "kind": "clip", "source": "models/clip"}
PAIR = {"original": "original", "replacement": "generated"}
CHOSEN = {"name": "chosen", "kind": "revised", "judge": "clip", **PAIR}


def study_with(*arms: dict[str, Any], judges: tuple[dict[str, Any], ...] = (BLIP2, CLIP), **change: Any) -> Study:
    """config.yaml, whose arms are original, generated, revised and shuffled, with more arms and two judges."""
    config = changed(merged(), {"judges": list(judges), **change})
    config["arms"] += arms
    return load_study(config)


def test_an_arm_reads_the_scores_of_the_arms_that_its_judge_compares() -> None:
    study = study_with(CHOSEN, {"name": "wrong", "kind": "shuffled", "base": "chosen"})
    assert study.chosen_by_judges() == {"chosen", "wrong"}
    units = Units(study)
    assert units.scores_read("chosen") == units.scores(["original", "generated"], ["clip"]) != []
    assert units.scores_read("revised") == units.scores_read("wrong") == []
    assert units.settings("select_captions", {"arm": "chosen"})["judge"] == "clip"
    assert units.read("select_captions", "arms", {"arm": "chosen"}) == [
        "select_captions/original",
        "select_captions/generated",
    ]
    assert units.read("select_captions", "arms", {"arm": "revised"}) == []
    assert {name.split(".")[0] for name in units.names("score_captions") or ()} == {*units.arms}


def test_another_judge_leaves_the_settings_of_arms_alone() -> None:
    before, after = (Units(study_with(CHOSEN, judges=judges)) for judges in ((CLIP,), (BLIP2, CLIP)))
    for arm in before.arms:
        unit = {"arm": arm}
        assert before.settings("select_captions", unit) == after.settings("select_captions", unit)
        assert before.scores_read(arm) == after.scores_read(arm)


AGREEMENT = {"name": "agree", "kind": "agreement", "encoder": "mpnet", "reference": "chosen"}


@pytest.mark.parametrize(
    ("arm", "change", "said"),
    [
        ({"judge": "clipp"}, {}, r"unknown judge in .*arms.4.judge: clipp; did you mean clip\?"),
        ({"judge": "clip"}, {"judges": ()}, "unknown judge in .*: clip; the config defines none"),
        ({"original": "orignal"}, {}, "unknown arm in .*arms.4.original: orignal"),
        ({"replacement": "chosen"}, {}, "arms that start from each other in .*: chosen > chosen"),
        ({"judge": "agree"}, {"judges": (AGREEMENT,)}, r"each other in .*arms.4.judge: chosen > chosen"),
        (
            {"judge": "agree"},
            {"judges": ({**AGREEMENT, "reference": "generated"},)},
            "judge without scores of an arm in .*arms.4.judge: agree compares captions with those of generated",
        ),
        ({"score": "itm"}, {}, "unknown score in .*arms.4.score: itm; choose from cosine"),
        ({"judge": "blip2"}, {}, "missing score in .*: none for blip2, which has itm and itc; name one of them"),
        ({"kind": "generated"}, {}, "unused judge"),
        (
            {},
            {"judges": ({**CLIP, "images": 2000},)},
            "judge without scores of all images in .*: clip, which scores 2,000",
        ),
        ({"standardised": True}, {"judges": ({**CLIP, "others": 1},)}, "scores that can't be standardised"),
        ({"judge": None}, {}, "contradictory settings in .*arms.4: original has no effect without a judge"),
    ],
)
def test_mistakes_are_named(arm: dict[str, Any], change: dict[str, Any], said: str) -> None:
    with pytest.raises(PipelineErrors) as caught:
        study_with({**CHOSEN, **arm}, **change)
    assert any(re.search(said, str(error)) for error in caught.value.errors), caught.value
