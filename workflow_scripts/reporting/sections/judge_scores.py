"""What judges say of the shown captions, and of which images they say something."""

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


def scored_by_all(study: Study, keys: Collection[str]) -> set[str]:
    """Those of ``keys`` whose captions every judge scored: a judge can be limited to a random choice of images."""
    found: dict[str, set[str]] = {}
    for scores in study.scores:
        if scores.unit["arm"] == study.scores[0].unit["arm"]:  # a judge's choice is the same in all arms
            rows = rows_of(scores.path(".parquet"), "key", sorted(keys), ("key",))
            found.setdefault(scores.unit["judge"], set()).update(row["key"] for row in rows)
    return set(keys).intersection(*found.values())


def judge_scores(study: Study, keys: Collection[str]) -> Judged:
    """The known scores of the captions of ``keys`` in all arms; only the blocks that hold these images are read."""
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
