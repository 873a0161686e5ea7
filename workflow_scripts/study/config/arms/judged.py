"""Checks of arms whose captions judges choose, and of arms whose margin is that of people's ratings."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from workflow_scripts.stages.score_captions import JUDGES
from workflow_scripts.study.config.arms.order import after_ratings, arms_read, is_calibrated, judges_read
from workflow_scripts.study.config.errors import Path, SettingError, known, one_of

if TYPE_CHECKING:
    from workflow_scripts.study.config.sections import Arm, Judge
    from workflow_scripts.study.config.study import Study


def judged_arm_errors(study: "Study") -> Iterator[SettingError]:
    """Yield an error for each judge or score that can't choose an arm, and each margin that can't be calibrated."""
    judges = {judge.name: judge for judge in study.judges}
    for number, arm in enumerate(study.arms):
        for name in judges_read(arm):
            yield from known(("arms", number, "judge"), "judge", name, judges)
        yield from _scores(("arms", number), arm, [judges[name] for name in judges_read(arm) if name in judges])
        if is_calibrated(arm):
            yield from _margin(study, ("arms", number, "margin"), arm)
    late = after_ratings(study)
    for setting in ("original", "replacement") if study.caption_labels is not None else ():
        name = getattr(study.caption_labels, setting)
        if name in late:
            advice = "name an arm that is made without a calibrated margin"
            yield SettingError("ratings of an arm that needs them", ("caption_labels", setting), name, advice)


def _scores(where: Path, arm: "Arm", judges: "list[Judge]") -> Iterator[SettingError]:
    wanted, standardised = getattr(arm, "score", None), getattr(arm, "standardised", False)
    offered = {judge.name: JUDGES[judge.kind].scores for judge in judges}
    named = {score for scores in offered.values() for score in scores}
    if wanted is not None and judges and wanted not in named:
        yield SettingError("unknown score", (*where, "score"), wanted, one_of(wanted, named))
    for judge in judges:
        reference = getattr(judge, "reference", None)
        if reference in arms_read(arm).values():
            value = f"{judge.name} compares captions with those of {reference}, so it has no score for them"
            advice = "give the judge another reference, or compare other arms"
            yield SettingError("judge without scores of an arm", (*where, "judge"), value, advice)
        scores = offered[judge.name]
        if len(scores) > 1 and wanted not in scores:
            value = f"none for {judge.name}, which has {' and '.join(scores)}"
            yield SettingError("missing score", (*where, "score"), value, "name one of them")
        if judge.images is not None:
            value = f"{judge.name}, which scores {judge.images:,} images"
            advice = "choose by a judge that scores all images (images: null)"
            yield SettingError("judge without scores of all images", (*where, "judge"), value, advice)
        if standardised and judge.others is not None and judge.others < 2:
            value = f"{judge.name} compares a caption with {judge.others} other images"
            advice = "give the judge at least 2 others, or choose by raw scores"
            yield SettingError("scores that can't be standardised", (*where, "standardised"), value, advice)


def _margin(study: "Study", where: Path, arm: "Arm") -> Iterator[SettingError]:
    labels = study.caption_labels
    if labels is None:
        advice = "name people's ratings in caption_labels, or give a number"
        yield SettingError("margin without ratings", where, "calibrated", advice)
        return
    pair = {name: getattr(labels, name) for name in ("original", "replacement")}
    arms = {one.name: one for one in study.arms}
    if judges_read(arm):
        same = arms_read(arm) == pair
    else:  # ITM compares the captions of arms of these kinds, the generated ones chosen by the same score
        rated = [arms.get(name) for name in pair.values()]
        same = [one and one.kind for one in rated] == ["original", "generated"]
        same = same and getattr(rated[1], "best_by", None) == getattr(arm, "best_by", None)
    if not same:
        value = f"calibrated for {pair['replacement']} instead of {pair['original']}"
        advice = "compare the arms that caption_labels compares, or give a number"
        yield SettingError("margin of other arms", where, value, advice)
