import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from workflow_scripts.evaluation.downstream import Downstream
from workflow_scripts.evaluation.linear_probe.heads import FittedHead
from workflow_scripts.evaluation.packed import PackedImages
from workflow_scripts.evaluation.saliency.maps import (
    TARGETS,
    SaliencyPlan,
    SaliencyResult,
    evaluate_saliency,
    map_targets,
    to_bytes,
)
from workflow_scripts.evaluation.saliency.scores import OBJECT_SHARE, SCORES, score_map
from workflow_scripts.evaluation.saliency.tables import image_table, result_table, write_examples
from workflow_scripts.models.backbones import build_backbone

N, SIZE = 12, 16
PLAN = SaliencyPlan("layer4", 11, 0.25, 3, 4, 0, "cpu")


@pytest.fixture
def study() -> tuple[nn.Module, Downstream, FittedHead, PackedImages]:
    rng = np.random.default_rng(0)
    masks = rng.integers(0, 2, (N, SIZE, SIZE)).astype(np.uint8)
    masks[:, 0] = 255
    masks[[9, 10]] = 0  # no object
    images = PackedImages(rng.integers(0, 256, (N, SIZE, SIZE, 3), np.uint8), masks[1:11], np.arange(1, 11))
    labels = np.array([0, 1, 2] * 4, dtype=np.int32)
    split = np.array(["train", "train", "val"] + ["test"] * 9)
    features = rng.normal(size=(N, 128)).astype(np.float32)
    data = Downstream(
        "m", ["a", "b", "c"], "accuracy", True, np.array([f"k{i}" for i in range(N)]), labels, split, features
    )
    head = FittedHead(rng.normal(size=(3, 128)).astype(np.float32), np.zeros(3, np.float32), *np.float32([[0], [1]]))
    torch.manual_seed(0)
    return build_backbone("resnet_small")[0].eval(), data, head, images


def test_rows_scored_left_out_and_floors(study) -> None:  # type: ignore[no-untyped-def]
    network, data, head, images = study
    found = evaluate_saliency(network, data, head, images, PLAN)
    assert found.keys == [f"k{i}" for i in range(3, 9)]
    assert found.left_out == {"empty_mask": 2}
    assert found.scores.shape == (6, len(TARGETS), len(SCORES))
    for i, row in enumerate(range(3, 9)):
        mask = images.mask(row)
        share = (mask == 1).sum() / (mask != 255).sum()
        for score, value in zip(SCORES.values(), found.scores[i, TARGETS.index("uniform")], strict=True):
            assert score.chance != OBJECT_SHARE or value == pytest.approx(share)


def test_classes_without_training_images_are_counted(study) -> None:  # type: ignore[no-untyped-def]
    network, data, head, images = study
    bias = head.bias.copy()
    bias[1] = -np.inf
    found = evaluate_saliency(network, data, head._replace(bias=bias), images, PLAN)
    # Rows 4, 7, 10 are of class 1; of the others only row 9 has no object.
    assert found.left_out == {"class_without_training_image": 3, "empty_mask": 1}
    assert np.isfinite(found.scores).all()


def test_zero_maps_are_uniform_and_counted(study) -> None:  # type: ignore[no-untyped-def]
    network, data, head, images = study
    network.requires_grad_(False)
    for parameter in network.layer4.parameters():
        parameter.zero_()
    found = evaluate_saliency(network, data, head, images, PLAN)
    assert found.constant == {"probe": 6, "cosine": 6}
    assert found.scores[:, 0] == pytest.approx(found.scores[:, TARGETS.index("uniform")])
    rows = result_table(found, 200, 0.95, 0).to_pylist()
    assert {row["target"]: row["constant_maps"] for row in rows} == {
        "probe": 6, "cosine": 6, "uniform": 6, "centre_gaussian": 0
    }  # fmt: skip


def test_cosine_target_is_the_mean_of_train_and_val(study) -> None:  # type: ignore[no-untyped-def]
    data, head = study[1], study[2]
    features = torch.eye(128)[:3]
    cosine = map_targets(data, head, "cpu")[1](features, torch.tensor([0, 1, 2]))
    expected = [data.features[i][i] / np.linalg.norm(data.features[i]) for i in range(3)]
    assert cosine.numpy() == pytest.approx(np.array(expected), abs=1e-6)


def test_tables_and_examples(study, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    network, data, head, images = study
    found = evaluate_saliency(network, data, head, images, PLAN)
    rows = image_table(found).to_pylist()
    assert len(rows) == 6 * len(TARGETS) * len(SCORES)
    assert rows[len(SCORES)] | {"value": 0} == {
        "dataset": "m", "key": "k3", "label": int(data.labels[3]), "target": "cosine", "metric": next(iter(SCORES)),
        "value": 0,
    }  # fmt: skip
    for row in result_table(found, 500, 0.95, 0).to_pylist():
        values = [one["value"] for one in rows if (one["target"], one["metric"]) == (row["target"], row["metric"])]
        assert row["value"] == pytest.approx(np.mean(values)) and row["n"] == 6
        assert row["low"] <= row["value"] <= row["high"]
    for name in ("a", "b"):
        write_examples(tmp_path / name, found)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    stored = np.load(io.BytesIO((tmp_path / "a").read_bytes()), allow_pickle=False)
    other = evaluate_saliency(network, replace(data, features=-data.features), head, images, PLAN)
    assert sorted(stored["keys"].tolist()) == stored["keys"].tolist() == sorted(other.examples)
    assert stored["images"].shape == (4, SIZE, SIZE, 3) and stored["maps"].shape == stored["masks"].shape
    i = stored["keys"].tolist()[0]
    row = found.keys.index(i)
    # A map stored in 256 steps scores nearly as the map itself.
    assert score_map(stored["maps"][0], stored["masks"][0], np.linspace(0, 1, 11))[0] == pytest.approx(
        found.scores[row, 0, 0], abs=0.02
    )


def test_no_masks_give_empty_tables(tmp_path: Path) -> None:
    empty = SaliencyResult("m")
    assert len(image_table(empty)) == len(result_table(empty, 100, 0.95, 0)) == 0
    write_examples(tmp_path / "x", empty)
    assert np.load(tmp_path / "x")["images"].shape == (0, 0, 0, 3)


def test_to_bytes() -> None:
    assert to_bytes(np.array([[[0.0, 0.5], [1.0, 2.0]], [[0.0, 0.0], [0.0, 0.0]]])).tolist() == [
        [[0, 64], [128, 255]],
        [[0, 0], [0, 0]],
    ]
