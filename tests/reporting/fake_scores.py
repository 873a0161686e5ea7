"""Scores of a made-up judge, for the arms of a made-up study."""

from collections.abc import Sequence
from pathlib import Path

from tests.file_bytes import parquet
from tests.helpers import make_artifact
from tests.reporting.fake_files import js

JUDGE, SCORE = "clip", "cosine"


def judge_quality(results: Path, arms: Sequence[str]) -> Path:
    """What the judge says of each arm; of the first one, which is the reference, without differences."""
    half = {"value": 0.5, "low": 0.4, "high": 0.6, "n": 40}
    style = {"style_control": {"value": 0.73, "low": 0.7, "high": 0.76, "n": 40}}
    arm = {"mean": {**half, "difference": half}, "mean_centred": half, "above_random_image": half, **style}
    found = {name: {SCORE: arm | ({"mean": half} if name == arms[0] else {})} for name in arms}
    files = {".json": js(found)}
    return make_artifact(results, "judge_quality", JUDGE, files, {"judge": JUDGE})


def scores(results: Path, arm: str, keys: Sequence[str], block: str, judge: str = JUDGE) -> Path:
    """One score for each of ``keys``, the same for all, and a centred one for all but the first."""
    rows = [
        {"key": key, SCORE: 0.25, f"{SCORE}_centred": None if key == keys[0] else 1.5, f"{SCORE}_random_centred": 0.0}
        for key in keys
    ]
    unit = {"arm": arm, "judge": judge, "block": block}
    return make_artifact(results, "score_captions", ".".join(unit.values()), {".parquet": parquet(rows)}, unit)
