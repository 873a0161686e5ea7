from pathlib import Path

import numpy as np
import pytest

from tests.evaluation import study
from tests.evaluation.study import artifact, few_shot, hits, knn, probe, run, saliency, saliency_scores
from tests.file_bytes import parquet
from workflow_scripts.core.artifact import Artifact
from workflow_scripts.core.declaration.result_names import SALIENCY
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.evaluation.contrasts.series import ItemOrder, Series, few_shot_series, hit_series, saliency_series
from workflow_scripts.evaluation.saliency.maps.kinds import is_compared
from workflow_scripts.stats.intervals import bootstrap_class_means, bootstrap_means

FIRST, SECOND = run("simclr", "original", "crop", 0), run("simclr", "revised", "crop", 0)
RUN = run("simclr", "original", "crop", 0)


def test_items_are_read_by_set_and_objective(results: Path) -> None:
    found = {one.dataset: one for path in probe(results, FIRST) for one in hit_series(Artifact(path), 3, ItemOrder())}
    assert (found["pets"].values == hits(FIRST, "last", "pets")).all()
    assert (found["dtd"].values == hits(FIRST, "last", "dtd")).all()
    assert found["pets"].metric == "linear_probe.sklearn.mean_per_class" and found["pets"].file == 3
    assert found["dtd"].family == "linear_probe.sklearn" and found["dtd"].n == 14
    assert found["pets"].class_shares == pytest.approx([1 / 3] * 3)
    assert found["dtd"].shares == pytest.approx([1 / 14] * 14)
    for one in found.values():
        assert one.shares @ one.values == pytest.approx(one.value)
        assert one.class_shares @ one.by_class == pytest.approx(one.value)


def test_neighbours_are_read_as_the_probe_is(results: Path) -> None:
    pets, dtd = (next(iter(hit_series(Artifact(path), 1, ItemOrder()))) for path in knn(results, FIRST))
    for one, name in ((pets, "pets"), (dtd, "dtd")):
        assert (one.values == hits(FIRST, "knn last", name)).all()
    assert (pets.metric, dtd.metric) == ("knn.mean_per_class", "knn.accuracy")
    assert pets.class_shares == pytest.approx([1 / 3] * 3) and dtd.shares == pytest.approx([1 / 14] * 14)


def test_an_accuracy_weighs_images_alike_in_classes_of_any_size(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(study.METRIC, "pets", "accuracy")
    (pets,) = hit_series(Artifact(probe(results, FIRST)[0]), 0, ItemOrder())
    assert pets.shares == pytest.approx([1 / 10] * 10) and pets.class_shares == pytest.approx([0.4, 0.2, 0.4])


def test_few_shot_is_a_mean_over_images(results: Path) -> None:
    (shot,) = few_shot_series(Artifact(few_shot(results, FIRST)), 0, ItemOrder())
    assert shot.n == 8 and len(shot.values) == 10 and shot.shares.sum() == pytest.approx(1)
    assert shot.shares @ shot.values == pytest.approx(shot.value, abs=1e-6)
    assert shot.class_shares @ shot.by_class == pytest.approx(shot.value, abs=1e-6)


def test_other_items_or_another_order_cannot_be_paired(results: Path) -> None:
    order = ItemOrder()
    for path in (*probe(results, FIRST), *probe(results, SECOND)):
        list(hit_series(Artifact(path), 0, order))
    list(few_shot_series(Artifact(few_shot(results, FIRST)), 0, order))
    with pytest.raises(PipelineError, match=r"cannot be paired in .*dataset pets"):
        list(hit_series(Artifact(probe(results, SECOND, "best", keys="other")[0]), 0, order))


@pytest.mark.parametrize("per_class", [False, True])
def test_variance_is_that_of_the_bootstrap(per_class: bool) -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 300)
    values = (rng.random(300) < 0.3 + 0.2 * labels).astype(np.float32)
    sizes = np.bincount(labels)
    shares = 1 / (3 * sizes[labels]) if per_class else np.full(300, 1 / 300)
    metric = "mean_per_class" if per_class else "accuracy"
    one = Series("x", f"m.{metric}", "m", values, labels, shares, None, 0.0, None, None, 0)
    if per_class:
        resampled = bootstrap_class_means(values[:, None], labels, 4000, 0)
    else:
        resampled = bootstrap_means(values[:, None], 4000, 0)
    assert one.variance() == pytest.approx(resampled.var(), rel=0.1)


def test_raw_corrected_and_lead_are_means_over_images(results: Path) -> None:
    found = {one.metric: one for one in saliency_series(Artifact(saliency(results, RUN)), 2, ItemOrder())}
    assert set(found) == {
        *[f"saliency.{target}.pixel_ap" for target in ("probe", "uniform", "oracle")],
        *[f"saliency.{target}.pixel_ap.corrected" for target in ("probe", "uniform", "oracle")],
        "saliency.uniform.pixel_ap.lead",
    }
    scores = saliency_scores(RUN)
    assert found[SALIENCY].value == pytest.approx((scores["probe"].mean() - scores["uniform"].mean()) / 0.6)
    assert found["saliency.probe.pixel_ap"].values == pytest.approx(scores["probe"])
    for one in found.values():
        assert one.n == 8 and one.labels.tolist() == [i % 3 for i in range(8)] and one.file == 2
        assert one.shares @ one.values == pytest.approx(one.value, abs=1e-6)
        assert one.class_shares @ one.by_class == pytest.approx(one.value, abs=1e-6)
    assert np.unique(found["saliency.oracle.pixel_ap.corrected"].values).tolist() == [1]


def test_of_further_layers_only_the_headline_score_of_their_own_maps_is_read(results: Path) -> None:
    cells = [(layer, target) for layer in ("layer4", "layer3") for target in ("probe", "uniform")]
    items = [
        {"dataset": "masks", "layer": layer, "target": target, "key": "m", "label": 0, "pixel_ap": 0.5, "iou_max": 0.4}
        for layer, target in (("layer4", "probe"), ("layer3", "probe"), ("", "uniform"))
    ]
    same = {"dataset": "masks", "stratum": "all", "scale": "raw", "value": 0.5, "low": None, "high": None}
    rows = [same | {"layer": a, "target": b, "metric": metric} for metric in ("pixel_ap", "iou_max") for a, b in cells]
    files = {".parquet": parquet(items), ".results.parquet": parquet(rows), ".examples.npz": b"x"}
    path = artifact(results, "saliency", RUN, "last", "masks", files)
    assert {series.metric for series in saliency_series(Artifact(path), 0, ItemOrder())} == {
        *(f"saliency.{target}.{metric}" for target in ("probe", "uniform") for metric in ("pixel_ap", "iou_max")),
        "saliency.layer3.probe.pixel_ap",
    }


def test_only_saliency_maps_of_the_runs_are_compared() -> None:
    assert all(map(is_compared, (SALIENCY, "saliency.probe.iou_max", "saliency.layer3.cosine.pixel_ap.corrected")))
    others = ("saliency.oracle.pixel_ap", "saliency.runner_up.pixel_ap.lead", "saliency.lafam.pixel_ap.corrected")
    assert not any(map(is_compared, others))
