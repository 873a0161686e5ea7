import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from workflow_scripts.core.declaration.result_names import HEADLINE
from workflow_scripts.evaluation.downstream import Downstream
from workflow_scripts.evaluation.linear_probe.heads import FittedHead
from workflow_scripts.evaluation.packed import PackedImages
from workflow_scripts.evaluation.saliency.evaluate import SaliencyPlan, evaluate_saliency
from workflow_scripts.evaluation.saliency.maps.grad_cam import class_means, swapped_classes
from workflow_scripts.evaluation.saliency.scores import OBJECT_SHARE, SCORES, near_object, score_maps
from workflow_scripts.evaluation.saliency.tables import (
    example_places,
    image_table,
    result_table,
    to_bytes,
    write_examples,
)
from workflow_scripts.models.backbones import build_backbone, explained_layers

N, SIZE = 12, 16
PLAN = SaliencyPlan(("layer4", "layer3"), "bilinear", 3, 0, "cpu", 1)
SCORED = ["k3", "k4", "k5", "k6", "k7", "k8"]


@pytest.fixture
def study() -> tuple[nn.Module, Downstream, FittedHead, PackedImages]:
    rng = np.random.default_rng(0)
    masks = rng.integers(0, 2, (N, SIZE, SIZE)).astype(np.uint8)
    masks[:, 0] = 255
    masks[[9, 10]] = 0  # no object
    images = PackedImages(rng.integers(0, 256, (N, SIZE, SIZE, 3), np.uint8), masks[:11], np.arange(11))
    labels = np.array([0, 1, 2] * 4, dtype=np.int32)
    split = np.array(["train", "train", "val"] + ["test"] * 9)
    features = rng.normal(size=(N, 128)).astype(np.float32)
    data = Downstream("m", ["a", "b", "c"], "accuracy", np.array([f"k{i}" for i in range(N)]), labels, split, features)
    head = FittedHead(rng.normal(size=(3, 128)).astype(np.float32), np.zeros(3, np.float32), *np.float32([[0], [1]]))
    torch.manual_seed(0)
    return build_backbone("resnet_small")[0].eval(), data, head, images


def evaluated(network: nn.Module, data: Downstream, head: FittedHead, images: PackedImages, plan: SaliencyPlan):  # type: ignore[no-untyped-def]
    parts = explained_layers(network, {"backbone": "resnet_small"}, plan.layers)
    return evaluate_saliency(network, list(parts.values()), data, head, images, plan)


def of(result, kind: str, layer: str = "layer4", score: str = HEADLINE) -> np.ndarray:  # type: ignore[no-untyped-def]
    """Scores of a map (n,)."""
    place = result.plan.maps.index((layer, kind))
    return np.asarray(result.scores[:, place, list(SCORES).index(score)])


def test_rows_scored_left_out_and_floors(study) -> None:  # type: ignore[no-untyped-def]
    network, data, head, images = study
    found = evaluated(network, data, head, images, PLAN)
    assert found.keys == SCORED
    assert found.survey.left_out == {"empty_mask": 2}
    assert found.scores.shape == (6, len(PLAN.maps), len(SCORES)) and np.isfinite(found.scores).all()
    for i, row in enumerate(range(3, 9)):
        mask = images.mask(row)
        share = (mask == 1).sum() / (mask != 255).sum()
        assert found.survey.areas[i] == share
        for score in SCORES.values():
            assert score.chance != OBJECT_SHARE or of(found, "uniform", "", score.name)[i] == pytest.approx(share)
    again = evaluated(network, data, head, images, PLAN._replace(workers=3))
    assert (again.scores == found.scores).all() and (again.shown == found.shown).all()


def test_batches_and_layers_change_no_score(study) -> None:  # type: ignore[no-untyped-def]
    network, data, head, images = study
    found = evaluated(network, data, head, images, PLAN)
    for plan in (PLAN._replace(batch_size=5), PLAN._replace(layers=("layer3", "layer4"))):
        other = evaluated(network, data, head, images, plan)
        for layer, kind in PLAN.maps:
            assert of(other, kind, layer) == pytest.approx(of(found, kind, layer), abs=1e-3), (layer, kind)


def test_the_mean_mask_is_that_of_training_images_or_of_the_others(study) -> None:  # type: ignore[no-untyped-def]
    network, data, head, images = study
    cropped = {row: images.mask(row) for row in range(9)}

    def expected(row: int, others: list[int]) -> float:
        inside = sum((cropped[one] == 1).astype(float) for one in others)
        seen = sum((cropped[one] != 255).astype(float) for one in others)
        mean = np.divide(inside, seen, out=np.zeros_like(inside), where=seen > 0)
        near = near_object(cropped[row], 0.1 * SIZE)
        return float(score_maps(mean[None], cropped[row], near, np.linspace(0, 1, 11))[0, list(SCORES).index(HEADLINE)])

    found = evaluated(network, data, head, images, PLAN)
    assert of(found, "mean_mask", "") == pytest.approx([expected(row, [0, 1, 2]) for row in range(3, 9)])
    images = images._replace(masks=images.masks[3:], masked=images.masked[3:])
    found = evaluated(network, data, head, images, PLAN)
    others = [[one for one in range(3, 9) if one != row] for row in range(3, 9)]
    assert of(found, "mean_mask", "") == pytest.approx([expected(row, rest) for row, rest in enumerate(others, 3)])


@pytest.mark.parametrize("trained", [True, False])
def test_a_single_image_is_not_compared_with_itself(study, trained: bool) -> None:  # type: ignore[no-untyped-def]
    network, data, head, images = study
    rows = [0, 5] if trained else [5]  # 0 is a training image
    images = images._replace(masks=images.masks[rows], masked=np.array(rows))
    found = evaluated(network, data, head, images, PLAN)
    assert found.keys == ["k5"]
    rows = result_table(found, 100, 0.95, 0).to_pylist()
    without = {"other_image"} if trained else {"other_image", "mean_mask"}
    assert {kind for _, kind in PLAN.maps} - {row["target"] for row in rows} == without
    for kind, layer in (("other_image", "layer4"), ("other_image", "layer3"), ("mean_mask", "")):
        assert np.isnan(of(found, kind, layer)).all() == (kind in without)


def test_classes_without_training_images_are_counted(study) -> None:  # type: ignore[no-untyped-def]
    network, data, head, images = study
    bias = head.bias.copy()
    bias[1] = -np.inf
    found = evaluated(network, data, head._replace(bias=bias), images, PLAN)
    # Rows 4, 7, 10 are of class 1; of the others only row 9 has no object.
    assert found.survey.left_out == {"class_without_training_image": 3, "empty_mask": 1}
    assert np.isfinite(found.scores).all() and not (found.swapped == 1).any()


def test_swapped_classes_are_the_runner_up_and_a_random_class(study) -> None:  # type: ignore[no-untyped-def]
    data, head = study[1], study[2]
    rows = np.arange(3, 9)
    found = swapped_classes(head, data, rows, 0)
    for (runner_up, drawn), row in zip(found.tolist(), rows, strict=True):
        order = np.argsort(-head.scores(data.features[[row]])[0]).tolist()
        assert runner_up == next(one for one in order if one != data.labels[row])
        assert drawn != data.labels[row] and 0 <= drawn < 3
    alone = head._replace(bias=np.array([0, -np.inf, -np.inf], np.float32))
    assert swapped_classes(alone, data, np.array([3]), 0).tolist() == [[0, 0]]


def test_permuted_labels_take_the_swap_away(study) -> None:  # type: ignore[no-untyped-def]
    """The map of a class drawn by chance is exchangeable with that of another one."""
    network, data, head, images = study
    rng = np.random.default_rng(0)
    leads = []
    for _ in range(12):
        permuted = replace(data, labels=rng.permutation(data.labels))
        found = evaluated(network, permuted, head, images, PLAN._replace(layers=("layer2",)))
        leads.append((of(found, "probe", "layer2") - of(found, "random_class", "layer2")).mean())
    assert abs(np.mean(leads)) < 2 * np.std(leads, ddof=1) / np.sqrt(len(leads))


def test_zero_maps_are_uniform_and_counted(study) -> None:  # type: ignore[no-untyped-def]
    network, data, head, images = study
    network.requires_grad_(False)
    for parameter in network.layer4.parameters():
        parameter.zero_()
    found = evaluated(network, data, head, images, PLAN._replace(layers=("layer4",)))
    assert of(found, "probe") == pytest.approx(of(found, "uniform", ""))
    rows = result_table(found, 200, 0.95, 0).to_pylist()
    counts = {row["target"]: row["constant_maps"] for row in rows}
    assert counts["probe"] == counts["lafam"] == counts["uniform"] == 6
    assert counts["centre_gaussian"] == counts["sobel"] == 0


def test_class_means_are_those_of_train_and_val(study) -> None:  # type: ignore[no-untyped-def]
    data = study[1]
    assert class_means(data) == pytest.approx(data.features[:3])


def test_saliency_tables_have_image_scores_and_their_means(study) -> None:  # type: ignore[no-untyped-def]
    network, data, head, images = study
    found = evaluated(network, data, head, images, PLAN)
    images_of = image_table(found).to_pylist()
    assert len(images_of) == 6 * len(PLAN.maps)
    assert images_of[1] | dict.fromkeys([*SCORES, "area", "centred"], 0) == {
        "dataset": "m",
        "key": "k3",
        "label": int(data.labels[3]),
        "layer": "layer4",
        "target": "cosine",
        **dict.fromkeys([*SCORES, "area", "centred"], 0),
    }
    rows = result_table(found, 200, 0.95, 0).to_pylist()
    for row in rows:
        if (row["scale"], row["stratum"]) == ("raw", "all"):
            mine = [one for one in images_of if one["target"] == row["target"] and one["layer"] in ("", row["layer"])]
            assert row["value"] == pytest.approx(np.mean([one[row["metric"]] for one in mine])) and row["n"] == 6
        if row["scale"] == "corrected" and row["target"] in ("uniform", "oracle"):
            assert row["value"] == (row["target"] == "oracle")
        assert row["low"] is None or (row["low"] <= row["value"] + 1e-4 and row["value"] <= row["high"] + 1e-4)
    assert {row["layer"] for row in rows} == {"layer3", "layer4"}


def test_saliency_examples_are_seeded_and_mark_best_and_worst(study, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    network, data, head, images = study
    found = evaluated(network, data, head, images, PLAN)
    places = example_places(found, 4, 0)
    scores = of(found, "probe")
    marked = {role: at for at, role in places[4:]}
    assert scores[marked["best"]] == scores.max() and scores[marked["worst"]] == scores.min()
    for name in ("a", "b"):
        write_examples(tmp_path / name, found, places, images, data.classes)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    stored = np.load(io.BytesIO((tmp_path / "a").read_bytes()), allow_pickle=False)
    other = evaluated(network, replace(data, features=-data.features), head, images, PLAN)
    assert example_places(other, 4, 0)[:4] == places[:4]
    assert stored["images"].shape == (7, SIZE, SIZE, 3) and stored["maps"].shape == stored["masks"].shape
    assert stored["keys"].tolist() == [found.keys[at] for at, _ in places]
    assert stored["scores"] == pytest.approx(scores[[at for at, _ in places]])
    # A map stored in 256 steps scores nearly as the map itself.
    near = near_object(stored["masks"][0], 1)
    again = score_maps(stored["maps"][:1].astype(float), stored["masks"][0], near, np.linspace(0, 1, 11))
    assert again[0, list(SCORES).index(HEADLINE)] == pytest.approx(stored["scores"][0], abs=0.02)


def test_no_masks_give_empty_tables(study, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    network, data, head, images = study
    images = images._replace(masks=images.masks[:0], masked=images.masked[:0])
    empty = evaluated(network, data, head, images, PLAN)
    assert len(image_table(empty)) == len(result_table(empty, 100, 0.95, 0)) == 0
    write_examples(tmp_path / "x", empty, example_places(empty, 4, 0), images, data.classes)
    assert np.load(tmp_path / "x")["images"].shape == (0, SIZE, SIZE, 3)


def test_maps_are_quantised_to_bytes() -> None:
    assert to_bytes(np.array([[[0.0, 0.5], [1.0, 2.0]], [[0.0, 0.0], [0.0, 0.0]]])).tolist() == [
        [[0, 64], [128, 255]],
        [[0, 0], [0, 0]],
    ]
