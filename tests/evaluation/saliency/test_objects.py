import numpy as np
import pytest
import torch

from workflow_scripts.evaluation.downstream import Downstream
from workflow_scripts.evaluation.linear_probe.heads import FittedHead
from workflow_scripts.evaluation.packed import PackedImages
from workflow_scripts.evaluation.saliency.objects import MEASURES, object_pairs, object_rows
from workflow_scripts.models.backbones import Explained, build_backbone, explained_layers

N, SIDE = 8, 16


class Halves(torch.nn.Module):
    """Feature 0 sees red, feature 1 green, through a part that can be explained."""

    def __init__(self) -> None:
        super().__init__()
        self.part = torch.nn.Conv2d(3, 2, 4, stride=4, bias=False)
        with torch.no_grad():
            self.part.weight.zero_()
            self.part.weight[0, 0] = self.part.weight[1, 1] = 1

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.part(images).clamp(min=0).mean(dim=(2, 3))


def study() -> tuple[Downstream, FittedHead, PackedImages]:
    """Class 0 is red and on the left, class 1 green and on the right; images hold both."""
    pixels, ids = np.zeros((N, SIDE, SIDE, 3), np.uint8), np.zeros((N, SIDE, SIDE), np.uint8)
    ids[:, 4:12, 0:4], ids[:, 4:12, 12:16] = 1, 2
    pixels[..., 0], pixels[..., 1] = 255 * (ids == 1), 255 * (ids == 2)
    labels = np.array([0, 1] * 4, np.int32)
    masks = np.where(labels[:, None, None] == 0, ids == 1, ids == 2).astype(np.uint8)
    images = PackedImages(pixels, masks, np.arange(N), ids, np.arange(N))
    object_labels = [[0, 1]] * (N - 2) + [[0, -1], [-1, 1]]
    keys, split = np.array([f"k{i}" for i in range(N)]), np.array(["test"] * N)
    data = Downstream(
        "m", ["a", "b"], "accuracy", True, keys, labels, split, np.zeros((N, 2), np.float32), object_labels
    )
    head = FittedHead(np.eye(2, dtype=np.float32), np.zeros(2, np.float32), *np.float32([[0, 0], [1, 1]]))
    return data, head, images


def test_only_images_with_two_labelled_objects_form_pairs() -> None:
    data, head, images = study()
    found = object_pairs(data, head, images, np.arange(N))
    assert found.rows.tolist() == [0, 1, 2, 3, 4, 5] and found.others.tolist() == [1, 0] * 3


def test_maps_of_both_objects_in_the_masks_of_both(monkeypatch: pytest.MonkeyPatch) -> None:
    data, head, images = study()
    network = Halves().eval()
    pairs = object_pairs(data, head, images, np.arange(N))
    part = Explained(network.part, lambda output: output)
    rows = list(object_rows(network, part, data, head, images, pairs, "bilinear", "cpu", (200, 0.95, 0)))
    found = {row["measure"]: row for row in rows}
    assert list(found) == list(MEASURES) and {row["n"] for row in rows} == {6}
    assert found["map A in mask A"]["value"] > 0.8 and found["map B in mask B"]["value"] > 0.8
    assert found["map A in mask B"]["value"] < 0.1 and found["map B in mask A"]["value"] < 0.1
    difference = found["map A: mask A - mask B"]
    assert difference["value"] == pytest.approx(found["map A in mask A"]["value"] - found["map A in mask B"]["value"])
    monkeypatch.setattr("workflow_scripts.evaluation.saliency.objects.BATCH", 4)
    in_batches = list(object_rows(network, part, data, head, images, pairs, "bilinear", "cpu", (200, 0.95, 0)))
    assert in_batches == rows
    assert 0 < difference["low"] <= difference["value"] + 1e-6


def test_a_set_without_images_of_two_objects_has_no_rows() -> None:
    data, head, images = study()
    torch.manual_seed(0)
    network = build_backbone("resnet_small")[0].eval()
    (part,) = explained_layers(network, {"backbone": "resnet_small"}, ["layer2"]).values()
    none = object_pairs(data, head, images._replace(with_objects=np.empty(0, np.int64)), np.arange(N))
    assert list(object_rows(network, part, data, head, images, none, "bilinear", "cpu", (100, 0.95, 0))) == []
