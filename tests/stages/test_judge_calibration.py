"""The stage ``judge_calibration``, on ratings and scores made by hand."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import roc_auc_score

from tests.file_bytes import parquet
from tests.helpers import make_artifact, run
from workflow_scripts.captions.labels.reading import Labels
from workflow_scripts.captions.labels.summary import rating_table
from workflow_scripts.captions.score_table import schema
from workflow_scripts.core.artifact import Artifact
from workflow_scripts.stages import judge_calibration

IMAGES = 60
ARMS = ("original", "generated")


class Case:
    """Sixty rated images among a hundred; a judge whose scores are the ratings, plus 1 for generated captions.

    Its centred scores are the ratings. Captions of the first five images have no scores.
    """

    def __init__(self, results: Path, halves: float = 0.0) -> None:
        self.results, self.halves = results, np.random.default_rng(1).normal(0, halves, (2, 100))
        self.truth = dict(zip(ARMS, np.random.default_rng(0).integers(0, 4, (2, IMAGES)).astype(float), strict=True))
        rows = [
            {"key": f"k{n:02}", "arm": arm, "text": f"{arm} {n}", "faithful": self.truth[arm][n]}
            for n in range(IMAGES)
            for arm in sorted(ARMS)
        ]
        ratings = {".parquet": parquet(pa.Table.from_pylist(rows))}
        self.ratings = make_artifact(results, "caption_labels", "labels", ratings)
        self.scores = []
        for arm in ARMS:
            good = np.append(self.truth[arm], np.full(100 - IMAGES, 9.0))
            known = pa.array(good, pa.float32(), mask=np.arange(100) < 5)
            raw = pa.array(good + (arm == "generated"), pa.float32(), mask=np.arange(100) < 5)
            columns = {
                "key": [f"k{n:02}" for n in range(100)],
                "text": [ARMS.index(arm)] * 100,
                "random_image": [0] * 100,
            }
            columns |= {"fit": raw, "fit_centred": known, "fit_random": raw, "fit_random_centred": known}
            table = pa.table({**columns, "fit_halves": self.halves[ARMS.index(arm)]}, schema(["fit"]))
            for block, part in (("0-0", table[:30]), ("1-1", table[30:])):
                unit = {"arm": arm, "judge": "clip", "block": block}
                name = ".".join(unit.values())
                self.scores.append(make_artifact(results, "score_captions", name, {".parquet": parquet(part)}, unit))

    def run(self, **settings: object) -> Artifact:
        inputs = {"ratings": self.ratings, "scores": self.scores}
        wanted = {"bootstrap": 100, **settings}
        return run(judge_calibration.STAGE, self.results, "judge_calibration/clip", wanted, inputs, {"judge": "clip"})


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case(tmp_path / "results")


def test_scores_are_matched_with_the_ratings(case: Case) -> None:
    made = case.run()
    found = json.loads(made.path(".json").read_bytes())["fit"]
    old, new = (case.truth[arm][5:] for arm in ARMS)
    good = np.append(old, new) >= 2
    assert found["raw"]["auc"]["value"] == pytest.approx(roc_auc_score(good, np.append(old, new + 1)))
    assert found["centred"]["auc"]["value"] == 1 and found["centred"]["auc"]["n"] == 110
    assert found["raw"]["margin"]["n"] == found["centred"]["margin"]["n"] == int((old != new).sum())
    assert 0 < found["raw"]["margin"]["value"] < 2 and found["raw"]["margin"]["errors"] == 0
    assert -1 < found["centred"]["margin"]["value"] < 1
    curve = pq.read_table(made.path(".reliability.parquet"))
    assert set(curve["score"].to_pylist()) == {"fit", "fit_centred"}
    assert made.rows == {"in": 120, "out": 110, "dropped": {"unscored": 10}}


def test_a_judge_without_scores_of_rated_images_has_no_figures(case: Case) -> None:
    for path in case.scores:
        one = Artifact(path)
        files = {".parquet": parquet(pq.read_table(one.path(".parquet"))[:0])}
        make_artifact(case.results, "score_captions", one.name, files, one.unit)
    made = case.run()
    nothing = {"auc": {"n": 0}, "margin": {"n": 0}}
    assert json.loads(made.path(".json").read_bytes()) == {"fit": {"raw": nothing, "centred": nothing}}
    assert made.rows["dropped"] == {"unscored": 120}


def test_the_arms_that_a_margin_is_for(case: Case) -> None:
    margins = []
    for old, new in (ARMS, ARMS[::-1]):
        made = case.run(original=old, replacement=new)
        margins.append(json.loads(made.path(".json").read_bytes())["fit"]["raw"]["margin"]["value"])
    assert margins[0] > 0 > margins[1]


def test_without_matching_ratings_no_margin_is_calibrated(case: Case) -> None:
    none = rating_table(Labels([], [], 4, Counter(caption_changed=4)), {})
    case.ratings = make_artifact(case.results, "caption_labels", "labels", {".parquet": parquet(none)})
    found = json.loads(case.run().path(".json").read_text())
    assert "value" not in found["fit"]["raw"]["margin"]


def test_intervals_of_centred_scores_have_the_error_of_the_other_images(case: Case, tmp_path: Path) -> None:
    same, drawn = (
        json.loads(one.run().path(".json").read_bytes())["fit"] for one in (case, Case(tmp_path / "drawn", 3.0))
    )
    assert drawn["raw"] == same["raw"]
    for name in ("auc", "margin"):
        assert drawn["centred"][name]["value"] == same["centred"][name]["value"]
        assert drawn["centred"][name]["low"] < same["centred"][name]["low"]
