"""Scores of the shown captions."""

from pathlib import Path

from tests.reporting.fake_data import N, images, key
from tests.reporting.fake_scores import scores
from workflow_scripts.core.artifact import Artifact
from workflow_scripts.reporting.sections.judge_scores import judge_scores, scored_by_all
from workflow_scripts.reporting.settings import Report
from workflow_scripts.reporting.study import Study

KEYS = [key(at) for at in range(N)]  # images with an odd number are in shard 1
SETTINGS = Report(study="fake", captions_of={}, headline_step="last")


def made(folder: Path, **keys: list[str]) -> Study:
    """A study whose judge scored the given images of each arm; the table of the second shard's block is damaged."""
    found = [Artifact(scores(folder, arm, some, "00000-00000")) for arm, some in keys.items()]
    damaged = Artifact(scores(folder, next(iter(keys)), KEYS[1::2], "00001-00001"))
    damaged.path(".parquet").write_bytes(b"")
    return Study({"images": [Artifact(images(folder))]}, SETTINGS, [*found, damaged])


def test_only_the_blocks_of_shown_images_are_read(tmp_path: Path) -> None:
    study = made(tmp_path, original=[KEYS[0], KEYS[2]], shuffled=[KEYS[4]])
    found = judge_scores(study, [KEYS[0], KEYS[2], KEYS[4], KEYS[6]])
    assert set(found) == {("original", KEYS[0]), ("original", KEYS[2]), ("shuffled", KEYS[4])}
    assert [(one.name, one.number.text, one.number.interval) for one in found["original", KEYS[2]]] == [
        ("clip cosine", "0.250", "(1.500)")
    ]
    assert judge_scores(study, []) == {}


def test_images_that_every_judge_scored(tmp_path: Path) -> None:
    tables = [
        Artifact(scores(tmp_path, "original", some, "00000-00001", judge))
        for judge, some in (("clip", KEYS[:4]), ("siglip", KEYS[2:6]))
    ]
    assert scored_by_all(Study({}, SETTINGS, tables), KEYS) == set(KEYS[2:4])
    assert scored_by_all(Study({}, SETTINGS), KEYS) == set(KEYS)
