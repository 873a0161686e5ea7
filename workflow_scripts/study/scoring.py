"""How the scoring of captions is divided: one artifact per arm, judge and block of shards."""

from collections.abc import Iterable, Sequence

from workflow_scripts.core.artifact import MANIFEST
from workflow_scripts.study.config.arms.order import arms_read, judge_read
from workflow_scripts.study.config.study import Study


def blocks(shards: Sequence[str], size: int) -> list[str]:
    """``<first>-<last>`` of consecutive shards, ``size`` at a time."""
    parts = [shards[start : start + size] for start in range(0, len(shards), size)]
    return [f"{part[0]}-{part[-1]}" for part in parts]


def shards_of(block: str) -> list[str]:
    """The shards of a block."""
    first, last = block.split("-")
    return [f"{number:0{len(first)}d}" for number in range(int(first), int(last) + 1)]


def scores(arms: Iterable[str], judges: Sequence[str], blocks: Sequence[str]) -> list[str]:
    """Names of tables of scores, in the order of a pattern ``{arms}.{judges}.{blocks}``."""
    return [f"{arm}.{judge}.{block}" for arm in arms for judge in judges for block in blocks]


def other_arms(out: str, arms: Iterable[str], unit: str) -> list[str]:
    """Arguments of the job ``<arm>.<judge>.<block>``: the arms that its process also scores if they lack scores."""
    own, _, rest = unit.partition(".")
    words = []
    for arm in arms:
        if arm != own:
            words += ["--also", f"{out}/score_captions/{arm}.{rest}", f"arm={arm}"]
            words += [f"captions={out}/select_captions/{arm}{MANIFEST}"]
    return words


def scores_read(study: Study, arm: str) -> tuple[list[str], list[str]]:
    """Arms and judges whose scores choose the captions of an arm; none if no judge chooses them."""
    own = next(one for one in study.arms if one.name == arm)
    judge = judge_read(own)
    return ([], []) if judge is None else (list(arms_read(own).values()), [judge])


def judge_reference(study: Study, judge: str) -> list[str]:
    """The arm whose captions a judge compares others with, if it compares captions."""
    return [one.reference for one in study.judges if one.name == judge and one.reference]
