from pathlib import Path

import numpy as np
import pytest

from tests.evaluation.study import run, saliency, saliency_scores
from workflow_scripts.core.artifact import Artifact
from workflow_scripts.core.declaration.result_names import SALIENCY
from workflow_scripts.evaluation.contrasts.saliency_series import is_compared, saliency_series
from workflow_scripts.evaluation.contrasts.series import ItemOrder

RUN = run("simclr", "original", "crop", 0)


def test_raw_corrected_and_lead_are_means_over_images(results: Path) -> None:
    found = {one.metric: one for one in saliency_series(Artifact(saliency(results, RUN)), 2, ItemOrder())}
    assert set(found) == {
        *[f"saliency.{target}.pixel_ap" for target in ("probe", "uniform", "oracle")],
        *[f"saliency.{target}.pixel_ap.corrected" for target in ("probe", "uniform", "oracle")],
        "saliency.uniform.pixel_ap.lead",
    }
    scores = saliency_scores(RUN)
    expected = (scores["probe"].mean() - scores["uniform"].mean()) / 0.6
    assert found[SALIENCY].value == pytest.approx(expected)
    assert found["saliency.probe.pixel_ap"].values == pytest.approx(scores["probe"])
    for one in found.values():
        assert one.n == 8 and one.labels.tolist() == [i % 3 for i in range(8)] and one.file == 2
        assert one.shares @ one.values == pytest.approx(one.value, abs=1e-6)
        assert one.class_shares @ one.by_class == pytest.approx(one.value, abs=1e-6)
    assert np.unique(found["saliency.oracle.pixel_ap.corrected"].values).tolist() == [1]


def test_runs_are_compared_by_their_own_maps() -> None:
    assert all(map(is_compared, (SALIENCY, "saliency.probe.iou_max", "saliency.layer3.cosine.pixel_ap.corrected")))
    others = ("saliency.oracle.pixel_ap", "saliency.runner_up.pixel_ap.lead", "saliency.lafam.pixel_ap.corrected")
    assert not any(map(is_compared, others))
