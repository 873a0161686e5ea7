"""Checks of arms whose captions a judge chooses."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from workflow_scripts.stages.score_captions import JUDGES
from workflow_scripts.study.config.arms.order import arms_read, judge_read
from workflow_scripts.study.config.errors import Path, SettingError, known, one_of

if TYPE_CHECKING:
    from workflow_scripts.study.config.sections import Arm, Judge
    from workflow_scripts.study.config.study import Study


def judged_arm_errors(study: "Study") -> Iterator[SettingError]:
    """Yield an error for each judge or score that can't choose an arm."""
    judges = {judge.name: judge for judge in study.judges}
    for number, arm in enumerate(study.arms):
        name = judge_read(arm)
        if name in judges:
            yield from _scores(("arms", number), arm, judges[name])
        elif name is not None:
            yield from known(("arms", number, "judge"), "judge", name, judges)


def _scores(where: Path, arm: "Arm", judge: "Judge") -> Iterator[SettingError]:
    wanted, standardised = getattr(arm, "score", None), getattr(arm, "standardised", False)
    offered = JUDGES[judge.kind].scores
    if wanted is not None and wanted not in offered:
        yield SettingError("unknown score", (*where, "score"), wanted, one_of(wanted, offered))
    reference = getattr(judge, "reference", None)
    if reference in arms_read(arm).values():
        value = f"{judge.name} compares captions with those of {reference}, so it has no score for them"
        advice = "give the judge another reference, or compare other arms"
        yield SettingError("judge without scores of an arm", (*where, "judge"), value, advice)
    if len(offered) > 1 and wanted is None:
        value = f"none for {judge.name}, which has {' and '.join(offered)}"
        yield SettingError("missing score", (*where, "score"), value, "name one of them")
    if judge.images is not None:
        value = f"{judge.name}, which scores {judge.images:,} images"
        advice = "choose by a judge that scores all images (images: null)"
        yield SettingError("judge without scores of all images", (*where, "judge"), value, advice)
    if standardised and judge.others is not None and judge.others < 2:
        value = f"{judge.name} compares a caption with {judge.others} other images"
        advice = "give the judge at least 2 others, or choose by raw scores"
        yield SettingError("scores that can't be standardised", (*where, "standardised"), value, advice)
