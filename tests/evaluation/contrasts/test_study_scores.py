import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from tests.evaluation.study import LABELS, few_shot, hits, knn, probe, queries, run, saliency
from tests.file_bytes import parquet
from tests.helpers import make_artifact
from workflow_scripts.core.artifact import Artifact
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.evaluation.contrasts.series import Series
from workflow_scripts.evaluation.contrasts.settings import SummaryRun
from workflow_scripts.evaluation.contrasts.study_scores import ROWS, mean_row, read_scores, summary_rows, with_lengths

ONE = run("simclr", "original", "crop", 0)


def test_rows_sources_and_mean(results: Path) -> None:
    made = {
        "probe": probe(results, ONE),
        "few_shot": [few_shot(results, ONE)],
        "knn": knn(results, ONE),
        "saliency": [saliency(results, ONE)],
    }
    scores = read_scores({name: map(Artifact, paths) for name, paths in made.items()}, ())
    rows = list(summary_rows(scores, [SummaryRun.model_validate(ONE)]))
    assert [(row["dataset"], row["metric"]) for row, _ in rows] == [
        ("pets", "linear_probe.sklearn.mean_per_class"),
        ("dtd", "linear_probe.sklearn.accuracy"),
        ("pets", "few_shot.accuracy"),
        ("pets", "knn.mean_per_class"),
        ("dtd", "knn.accuracy"),
        *[
            ("masks", f"saliency.{target}.pixel_ap{scale}")
            for scale in ("", ".corrected")
            for target in ("probe", "uniform", "oracle")
        ],
        ("masks", "saliency.uniform.pixel_ap.lead"),
        ("pets", "features.rankme"),
        ("dtd", "features.rankme"),
        ("mean", "linear_probe.sklearn.mixed"),
        ("mean", "knn.mixed"),
    ]
    files = [[scores.files[i]["file"] for i in sources] for _, sources in rows]
    name = "simclr-original-crop-resnet_small-s0.last"
    assert files == [
        [f"linear_probe/{name}.pets.parquet"],
        [f"linear_probe/{name}.dtd.parquet"],
        [f"few_shot/{name}.pets.parquet"],
        [f"knn/{name}.pets.parquet"],
        [f"knn/{name}.dtd.parquet"],
        *[[f"saliency/{name}.masks.results.parquet"]] * 7,
        [f"knn/{name}.pets.statistics.parquet"],
        [f"knn/{name}.dtd.statistics.parquet"],
        [f"linear_probe/{name}.{one}.parquet" for one in ("pets", "dtd")],
        [f"knn/{name}.{one}.parquet" for one in ("pets", "dtd")],
    ]
    values = [row["value"] for row, _ in rows]
    assert values[12:14] == [2.5, 2.5]
    assert values[14:] == pytest.approx([(values[0] + values[1]) / 2, (values[3] + values[4]) / 2])
    assert [row["n"] for row, _ in rows] == [10, 14, 8, 10, 14, *[8] * 7, 10, 14, 24, 24]


def test_rows_have_tag_backbone_and_budget(results: Path) -> None:
    own = {"tag": "short", "backbone": "resnet18", "batch_size": 8, "trained_steps": 5, "views_per_pair": 2}
    scores = read_scores({"few_shot": [Artifact(few_shot(results, ONE))]}, ())
    ((row, _),) = summary_rows(scores, [SummaryRun.model_validate(ONE | own)])
    assert {**own, "budget": 80}.items() <= row.items() and row.keys() == set(ROWS.names)


def test_the_set_that_chose_a_checkpoint_is_left_out_of_its_means(results: Path) -> None:
    scores = read_scores({"probe": map(Artifact, [*probe(results, ONE), *probe(results, ONE, "best")])}, ())

    def rows(**own: object) -> dict[tuple[str, str], tuple[float, str]]:
        given = SummaryRun.model_validate(ONE | {"steps": ["last", "best"], **own})
        return {(r["step"], r["dataset"]): (r["value"], r["chosen_on"]) for r, _ in summary_rows(scores, [given])}

    usual, found = rows(), rows(chosen={"best": "pets"})
    at_last = [("last", name) for name in ("pets", "dtd", "mean")]
    assert [found[key] for key in at_last] == [usual[key] for key in at_last]
    assert usual["best", "mean"][0] == pytest.approx((usual["best", "pets"][0] + usual["best", "dtd"][0]) / 2)
    assert [found["best", name] for name in ("pets", "dtd", "mean")] == [
        (usual["best", name][0], "pets") for name in ("pets", "dtd", "dtd")
    ]
    assert ("best", "mean") in rows(chosen={"best": "other"})


def test_sets_with_fewer_classes_than_the_episodes_are_in_no_mean(results: Path) -> None:
    def rows(**ways: int) -> dict[str, float]:
        made = [Artifact(few_shot(results, ONE, name=name, ways=count)) for name, count in ways.items()]
        found = summary_rows(read_scores({"few_shot": made}, ()), [SummaryRun.model_validate(ONE)])
        return {row["dataset"]: row["n"] for row, _ in found}

    assert rows(pets=5, pcam=2, dtd=5) == {"pets": 8, "pcam": 8, "dtd": 8, "mean": 16}
    assert rows(pets=5, pcam=2) == {"pets": 8, "pcam": 8, "mean": 8}
    assert rows(pcam=2, other=2) == {"pcam": 8, "other": 8, "mean": 16}


def test_lengths_are_those_of_the_trainings(results: Path) -> None:
    def training(run: str, steps: int, rows: dict[str, object]) -> Artifact:
        about = json.dumps({"steps": steps, "steps_done": 4, "batch_size": 8}).encode()
        return Artifact(make_artifact(results, "pretrain", run, {"/run.json": about}, {"run": run}, rows))

    runs = [SummaryRun.model_validate(ONE | {"run": name}) for name in ("trained", "untrained", "other")]
    trainings = [
        training("untrained", 0, {}),
        training("trained", 6, {"in": 40, "out": 31, "dropped": {"no_partner": 9}}),
    ]
    found = with_lengths(runs, trainings)
    assert [(run.trained_steps, run.epochs) for run in found] == [(6, 2.0), (0, None), (0, None)]


def test_mean_interval_adds_variances() -> None:
    rng = np.random.default_rng(0)
    groups = [rng.random(n).astype(np.float32) for n in (30, 50)]
    members = [
        Series(str(i), "m", "m", g, np.zeros(len(g)), np.full(len(g), 1 / len(g)), None, float(g.mean()), None, None, i)
        for i, g in enumerate(groups)
    ]
    row = mean_row(members)
    half = stats.norm.ppf(0.975) * np.sqrt(sum(g.var() / len(g) for g in groups)) / 2
    assert row["metric"] == "m"
    assert (row["low"], row["high"]) == pytest.approx((row["value"] - half, row["value"] + half))


def test_scores_given_twice_are_refused(results: Path) -> None:
    one = Artifact(probe(results, ONE)[0])
    with pytest.raises(PipelineError, match="repeated input"):
        read_scores({"probe": [one, one]}, ())


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
