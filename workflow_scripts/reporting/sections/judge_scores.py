"""What judges say of the shown captions: only the tables of the blocks that hold the shown images are read."""

from collections.abc import Collection
from typing import NamedTuple

from workflow_scripts.core.artifact import Artifact
from workflow_scripts.reporting.provenance import Number
from workflow_scripts.reporting.reading import rows_of
from workflow_scripts.reporting.study import Study
from workflow_scripts.reporting.text import plain


class JudgeScore(NamedTuple):
    """A score, and the judge and score that it is of; its interval is the standardised score in brackets."""

    name: str
    number: Number


Judged = dict[tuple[str, str], list[JudgeScore]]
"""(arm, key) -> scores of the arm's caption of that image."""


def judge_scores(study: Study, keys: Collection[str]) -> Judged:
    """The known scores of the captions of ``keys`` in all arms."""
    index = study.one("images")
    if index is None or not keys:
        return {}
    shards = {row["shard"] for row in rows_of(index.path(".parquet"), "key", sorted(keys), ("key", "shard"))}
    found: Judged = {}
    for scores in study.scores:
        first, last = (int(number) for number in scores.unit["block"].split("-"))
        if any(first <= shard <= last for shard in shards):
            _add(study, scores, keys, found)
    return found


def _add(study: Study, scores: Artifact, keys: Collection[str], found: Judged) -> None:
    arm, judge = scores.unit["arm"], scores.unit["judge"]
    for row in rows_of(scores.path(".parquet"), "key", sorted(keys)):
        for name in [name for name in row if f"{name}_random_z" in row and row[name] is not None]:
            where = f"key {row['key']}, {name}"
            standardised = "" if row[f"{name}_z"] is None else f"({plain(row[f'{name}_z'])})"
            number = Number(plain(row[name]), standardised, study.source(scores, ".parquet"), where)
            found.setdefault((arm, row["key"]), []).append(JudgeScore(f"{judge} {name}", number))
