from pathlib import Path

import numpy as np
import pytest

from tests.evaluation.study import LABELS, few_shot, hits, knn, parquet, probe, queries, run
from tests.helpers import make_artifact
from workflow_scripts.core.artifact import Artifact
from workflow_scripts.evaluation.contrasts.settings import SummaryRun
from workflow_scripts.evaluation.contrasts.study_scores import read_scores, summary_rows

ONE = run("simclr", "original", "crop", 0)


def test_accuracies_without_leaked_images_are_those_of_the_rest(results: Path) -> None:
    gone = {"pets": ["k0", "k0", "k4", "k5"], "dtd": []}
    checks = []
    for name, keys in gone.items():
        rows = [{"test": key, "train": "t"} for key in keys] or [{"test": "not a key of any image", "train": "t"}]
        made = make_artifact(results, "leakage", name, {".parquet": parquet(rows)}, {"dataset": name})
        checks.append(Artifact(made))
    made = {"probe": probe(results, ONE), "knn": knn(results, ONE), "few_shot": [few_shot(results, ONE)]}
    scores = read_scores({name: map(Artifact, paths) for name, paths in made.items()}, checks)
    listed = list(summary_rows(scores, [SummaryRun.model_validate(ONE)]))
    found = {(row["dataset"], row["metric"]): row for row, _ in listed}
    files = {(row["dataset"], row["metric"]): [scores.files[at] for at in sources] for row, sources in listed}
    labels, kept = LABELS["pets"], np.array([at not in (0, 4, 5) for at in range(10)])
    for family, step in (("linear_probe.sklearn", "last"), ("knn", "knn last")):
        right = hits(ONE, step, "pets")
        means = [right[kept & (labels == one)].mean() for one in (0, 2)]  # no image of class 1 is left
        row = found["pets", f"without_leaked.{family}.mean_per_class"]
        assert row["value"] == pytest.approx(np.mean(means)) and row["n"] == 7
        assert row["low"] is None and row["high"] is None
    _, shown, correct = (np.array(column) for column in queries(ONE))
    row = found["pets", "without_leaked.few_shot.accuracy"]
    assert row["value"] == pytest.approx(correct[kept].sum() / shown[kept].sum()) and row["n"] == 7
    whole = found["dtd", "knn.accuracy"]["value"]
    assert found["dtd", "without_leaked.knn.accuracy"]["value"] == pytest.approx(whole)
    for (dataset, metric), check in zip((("pets", "knn.mean_per_class"), ("dtd", "knn.accuracy")), checks, strict=True):
        of_check = {"file": f"leakage/{dataset}.parquet", "manifest_sha256": check.hash}
        assert files[dataset, f"without_leaked.{metric}"] == [*files[dataset, metric], of_check]
