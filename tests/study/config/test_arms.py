"""Arms that start from other arms, or that judges choose."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest

from tests.study.config.configs import merged, planned
from workflow_scripts.core.errors import PipelineErrors
from workflow_scripts.study.config.sections import Study
from workflow_scripts.study.config.study import load_study
from workflow_scripts.study.units import Units

FILE = {"name": "mine", "kind": "external", "table": "mine.csv"}


def shuffled(name: str, base: str) -> dict[str, Any]:
    return {"name": name, "kind": "shuffled", "base": base}


def study_with(*arms: dict[str, Any], change: Mapping[str, Any] = MappingProxyType({})) -> Units:
    """config.yaml, whose arms are original, generated, revised and shuffled, with more arms."""
    return planned(change={"arms": [*merged()["arms"], *arms], **change})


def read_by(units: Units, arm: str) -> list[str]:
    return [name.removeprefix("select_captions/") for name in units.read("select_captions", "arms", {"arm": arm})]


def test_an_arm_depends_on_the_arm_named_as_its_base() -> None:
    units = study_with(shuffled("second", "half"), {"name": "half", "kind": "mixed", "base": "mine"}, FILE)
    read = {arm: read_by(units, arm) for arm in units.arms}
    assert read == {
        "original": [],
        "generated": [],
        "revised": [],
        "shuffled": ["original"],
        "second": ["half"],
        "half": ["mine"],
        "mine": [],
    }
    assert units.settings("select_captions", {"arm": "half"})["base"] == "mine"


def test_the_base_of_an_arm_is_original_by_default() -> None:
    assert read_by(study_with({"name": "s", "kind": "shuffled"}), "s") == ["original"]
    places = r"config.arms.0.base, also config.pairs.0.arm, config.pairs.6.arm"
    message = rf"unknown arm in {places}: original; choose from mine, s \("
    with pytest.raises(PipelineErrors, match=message):
        load_study(merged() | {"arms": [{"name": "s", "kind": "shuffled"}, FILE]})


def test_a_cycle_of_arms_is_an_error_that_lists_it() -> None:
    bases = {"a": "c", "b": "a", "c": "b", "d": "a"}
    with pytest.raises(PipelineErrors) as caught:
        study_with(*(shuffled(*one) for one in bases.items()))
    found = [error for error in caught.value.errors if error.what == "arms that start from each other"]
    (long,) = (str(error.value).split(" > ") for error in found)
    assert long[0] == long[-1] and sorted(long[1:]) == ["a", "b", "c"]
    assert [bases[arm] for arm in long[:-1]] == long[1:]
    assert [error.where for error in found] == [f"config.arms.{4 + 'abc'.index(long[0])}.base"]


BLIP2, CLIP = {"name": "blip2", "kind": "blip2"}, {"name": "clip", "kind": "clip", "source": "models/clip"}
PAIR = {"original": "original", "replacement": "generated"}
CHOSEN = {"name": "chosen", "kind": "revised", "judge": "clip", **PAIR}


def judged(*arms: dict[str, Any], judges: tuple[dict[str, Any], ...] = (BLIP2, CLIP), **change: Any) -> Study:
    """The same, with two judges."""
    return study_with(*arms, change={"judges": list(judges), **change}).study


def test_an_arm_reads_the_scores_of_the_arms_that_its_judge_compares() -> None:
    study = judged(CHOSEN, {"name": "wrong", "kind": "shuffled", "base": "chosen"})
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


def test_another_judge_does_not_change_the_settings_of_arms() -> None:
    before, after = (Units(judged(CHOSEN, judges=judges)) for judges in ((CLIP,), (BLIP2, CLIP)))
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
        ({"judge": None}, {}, "contradictory settings in .*arms.4: original has no effect without a judge"),
    ],
)
def test_config_mistakes_are_reported(arm: dict[str, Any], change: dict[str, Any], said: str) -> None:
    with pytest.raises(PipelineErrors) as caught:
        judged({**CHOSEN, **arm}, **change)
    assert any(re.search(said, str(error)) for error in caught.value.errors), caught.value


def test_only_a_study_with_a_demo_world_has_its_captions() -> None:
    cell = {"name": "cell", "kind": "world", "coverage": 0.67, "precision": 0.75}
    message = "demo_world missing in config.arms.4.kind: world; remove this"
    with pytest.raises(PipelineErrors, match=message):
        study_with(cell)
    units = planned("profiles/demo/study.yaml", change={"arms": [*merged("profiles/demo/study.yaml")["arms"], cell]})
    assert units.read("select_captions", "truth", {"arm": "cell"}) == ["demo_world/world"]
    assert units.read("select_captions", "truth", {"arm": "revised"}) == []
    settings = units.settings("select_captions", {"arm": "cell"})
    assert (settings["coverage"], settings["precision"], settings["seed"]) == (0.67, 0.75, 0)


ORIGINAL = {"name": "original", "kind": "original"}
OWN: dict[str, Any] = {
    "recaption": None, "arms": [ORIGINAL, FILE], "pairs": [], "contrasts": [], "image_encoders": [], "judges": [],
    "pair_quality": {"image_encoder": None}, "leakage": {"encoder": None},
    "runs": [{"method": "simclr", "pairs": "self", "augmentation": "crop"}],
}  # fmt: skip
CLIP_RUN = {"method": "clip", "pairs": "original", "augmentation": "crop", "set": {"pair_weight": "itm"}}


def test_a_study_without_recaption_has_no_models_and_jobs_of_it() -> None:
    units = planned(change=OWN)
    assert units.names("recaption") == units.read("caption_table", "recaption", {}) == []
    assert not {"captioner", "matcher"} & units.sources_by_name.keys()
    assert units.read("caption_quality", "matcher", {"arm": "mine"}) == []


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"arms": [ORIGINAL, {"name": "new", "kind": "generated"}]}, "arms.1.kind: generated, but recaption is null"),
        ({"arms": [ORIGINAL, {"name": "new", "kind": "revised"}]}, "arms.1.kind: revised, but recaption is null"),
        ({"judges": [{"name": "itm", "kind": "blip2"}]}, "judges.0.source: .* where recaption is null needs one"),
        ({"image_encoders": [{"name": "b", "kind": "blip2"}]}, "image_encoders.0.source: .* recaption is null needs"),
        ({"runs": [CLIP_RUN]}, "captions without scores in config.runs.0: .* recaption is null"),
    ],
)  # fmt: skip
def test_what_reads_generated_captions_or_the_matcher_needs_recaption(change: dict[str, Any], error: str) -> None:
    with pytest.raises(PipelineErrors, match=error):
        planned(change=OWN | change)


def test_a_judge_with_scores_of_its_own_can_revise_without_recaption() -> None:
    arm = {"name": "r", "kind": "revised", "judge": "c", "original": "original", "replacement": "mine"}
    clip = {"name": "c", "kind": "clip", "source": "models/clip"}
    assert planned(change=OWN | {"arms": [*OWN["arms"], arm], "judges": [clip]}).names("recaption") == []
