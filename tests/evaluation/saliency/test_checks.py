import copy
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import timm
import torch
from scipy import stats
from sklearn.linear_model import LogisticRegression
from torch import nn

from workflow_scripts.core.declaration.result_names import SPEARMAN
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.evaluation.downstream import Downstream
from workflow_scripts.evaluation.linear_probe.heads import FittedHead
from workflow_scripts.evaluation.packed import PackedImages
from workflow_scripts.evaluation.saliency.checks import (
    AP,
    SWAP,
    UNRELATED,
    Given,
    _mean_row,
    _ranks,
    cascade,
    check_rows,
    drops,
    map_correlation,
    refitted,
    scored,
    small_maps,
    training_rows,
)
from workflow_scripts.models.backbones import build_backbone, explained_layers
from workflow_scripts.models.foreign import Foreign
from workflow_scripts.models.preprocessing import MEAN, STD

CONVOLUTIONS = ["conv1.weight", *(f"layer{number}.0.conv1.weight" for number in (1, 2, 3, 4))]
PLAN: dict[str, Any] = {
    "shares": (50,),
    "upsampling": "bilinear",
    "resamples": 100,
    "level": 0.95,
    "seed": 0,
    "device": "cpu",
}


def test_parts_are_randomised_from_the_last_to_the_first() -> None:
    torch.manual_seed(0)
    network, twin = build_backbone("resnet_small")[0].eval(), build_backbone("resnet_small")[0].eval()
    before = copy.deepcopy(network.state_dict())
    seen = []
    for name, changed in cascade(network, twin):
        own, other = changed.state_dict(), twin.state_dict()
        seen.append((name, {key.partition(".")[0] for key in CONVOLUTIONS if torch.equal(own[key], other[key])}))
        images = torch.ones(1, 3, 32, 32)
        if name == "conv1":
            assert torch.equal(changed(images), twin(images))
    names = [name for name, _ in seen]
    assert names == ["trained", "layer4", "layer3", "layer2", "layer1", "bn1", "conv1"]
    for at, (_, replaced) in enumerate(seen):
        assert replaced == set(names[1 : at + 1]) - {"bn1"}
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())


@pytest.mark.parametrize(
    ("architecture", "options", "names"),
    [
        (
            "efficientnet_lite0",
            {},
            ["bn2", "conv_head", *(f"blocks.{at}" for at in range(6, -1, -1)), "bn1", "conv_stem"],
        ),
        (
            "vit_tiny_patch16_224",
            {"img_size": 32, "depth": 3, "embed_dim": 24},
            ["norm", "blocks.2", "blocks.1", "blocks.0", "patch_embed", "all"],
        ),
        (
            "convnext_atto",
            {"depths": (1, 1, 1, 1), "dims": (4, 4, 4, 8)},
            ["head", *(f"stages.{at}" for at in (3, 2, 1, 0)), "stem"],
        ),
    ],
)
def test_stages_of_external_networks_are_randomised_as_parts(
    architecture: str, options: dict[str, Any], names: list[str]
) -> None:
    torch.manual_seed(0)
    network, twin = (
        Foreign(timm.create_model(architecture, num_classes=0, **options), MEAN, STD, "", nn.Identity()).eval()
        for _ in range(2)
    )
    steps = list(cascade(network, twin))
    assert [name.removeprefix("network.") for name, _ in steps] == ["trained", *names]
    last, expected = steps[-1][1].state_dict(), twin.state_dict()
    assert last.keys() == expected.keys() and all(torch.equal(last[key], expected[key]) for key in expected)


def test_nested_stages_are_randomised_as_parts() -> None:
    """As in CLIP's tower: the list of blocks is in a module beside the embeddings, which have parts of their own."""
    embeddings = nn.ModuleDict({"patch": nn.Linear(2, 2), "position": nn.Embedding(2, 2)})
    blocks = nn.ModuleList(nn.ModuleDict({"norm": nn.LayerNorm(2)}) for _ in range(2))
    tower = nn.ModuleDict({"embeddings": embeddings, "encoder": nn.ModuleDict({"layers": blocks})})
    network = nn.ModuleDict({"vision": tower})
    names = [name for name, _ in cascade(network, copy.deepcopy(network))]
    assert names == ["trained", "vision.encoder.layers.1", "vision.encoder.layers.0", "vision.embeddings"]


def test_map_correlation_equals_scipy_with_ties() -> None:
    first, second = np.random.default_rng(0).integers(0, 4, (2, 3, 5, 5)).astype(float)
    expected = [stats.spearmanr(a.ravel(), b.ravel()).statistic for a, b in zip(first, second, strict=True)]
    assert map_correlation(first, second) == pytest.approx(expected)
    assert np.isnan(map_correlation(np.ones((1, 2, 2)), second[:1, :2, :2])).all()


def labelled(*counts: int) -> Downstream:
    """A set with some training images of each class, shuffled, and a test image of each."""
    classes = np.arange(len(counts))
    labels = np.random.default_rng(0).permutation(np.repeat(classes, counts))
    split, keys = ["train"] * len(labels) + ["test"] * len(counts), [str(at) for at in range(len(labels) + len(counts))]
    return Downstream(
        "set",
        [str(one) for one in classes],
        "accuracy",
        np.array(keys),
        np.concatenate([labels, classes]),
        np.array(split),
        np.zeros((len(keys), 1), np.float32),
    )


def test_training_images_are_of_all_classes_in_turn() -> None:
    data = labelled(50, 1, 3, 20)
    for most, expected in ((2, [1, 1, 1, 1]), (7, [2, 1, 2, 2]), (14, [5, 1, 3, 5]), (999, [50, 1, 3, 20])):
        rows = training_rows(data, 0, most)
        assert np.bincount(data.labels[rows]).tolist() == expected
        assert (np.diff(rows) > 0).all() and (data.split[rows] == "train").all()
    assert set(training_rows(data, 0, 7)) < set(training_rows(data, 0, 14))
    assert (training_rows(data, 0, 7) != training_rows(data, 1, 7)).any()
    with pytest.raises(
        PipelineError, match="no head can be fitted in set: training and validation images of 1 classes"
    ):
        training_rows(labelled(5), 0, 2)


@pytest.mark.parametrize("classes", [2, 3])
def test_a_refitted_head_equals_scikit_learn(classes: int) -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, classes, 90)
    features = (rng.normal(size=(classes, 5))[labels] + rng.normal(size=(90, 5))).astype(np.float32)
    head = refitted(features, labels, classes + 1)
    scaled = (features - features.mean(axis=0)) / features.std(axis=0)
    model = LogisticRegression(C=1.0, max_iter=200).fit(scaled, labels)
    scores = head.scores(features)
    assert np.isneginf(scores[:, classes]).all()
    shares = np.exp(scores[:, :classes] - scores[:, :classes].max(axis=1, keepdims=True))
    assert shares / shares.sum(axis=1, keepdims=True) == pytest.approx(model.predict_proba(scaled), abs=1e-4)


class Corner(nn.Module):
    """One feature: the mean of the top left quarter."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        half = images.shape[-1] // 2
        return images[:, :, :half, :half].mean(dim=(1, 2, 3))[:, None]


def test_pixels_that_matter_cost_more_than_others() -> None:
    images = torch.zeros(3, 3, 16, 16)
    images[:, :, :8, :8] = 1.0
    maps = np.zeros((3, 16, 16), np.float32)
    maps[:, :8, :8] = 1.0
    found = drops(Corner(), images, maps, lambda part: lambda features: features[:, 0], 25, 0)
    assert (found["most"] > 0.5).all() and found["least"] == pytest.approx(0, abs=0.02)
    again = drops(Corner(), images, maps, lambda part: lambda features: features[:, 0], 25, 0)
    assert all((again[name] == found[name]).all() for name in found)


def test_ties_are_ranked_at_random_and_order_is_kept() -> None:
    maps = np.array([[[0.0, 0.0, 0.0, 1.0], [2.0, 0.0, 0.0, 0.0]]], np.float32)
    first, second = _ranks(maps, 0), _ranks(maps, 1)
    assert sorted(first.ravel().tolist()) == [at / 8 for at in range(8)]
    assert first[0, 1, 0] == 7 / 8 and first[0, 0, 3] == 6 / 8 and (first != second).any()


def mean_row(values: list[float], labels: list[int]) -> dict[str, Any]:
    given: Any = SimpleNamespace(labels=np.array(labels), **PLAN)
    return _mean_row(given, np.array(values), "cascade", "conv1", "Spearman")


def test_only_images_with_a_value_count_and_missing_bounds_are_null_rather_than_zero() -> None:
    row = mean_row([0.2, np.nan, 0.4, 0.6], [0, 0, 1, 1])
    assert (row["n"], row["value"]) == (3, pytest.approx(0.4)) and row["low"] < row["value"] < row["high"]
    for values, labels, n, mean in (([0.2, 0.4, np.nan], [0, 0, 1], 2, 0.3), ([np.nan, np.nan], [0, 1], 0, None)):
        row = mean_row(values, labels)
        assert (row["n"], row["low"], row["high"]) == (n, None, None) and row["value"] == pytest.approx(mean)


def given(count: int) -> Given:
    """``count`` checked images; four others train the heads."""
    rng, rows = np.random.default_rng(0), np.arange(4, 4 + count)
    n = 4 + count
    images = PackedImages(
        rng.integers(0, 256, (n, 16, 16, 3), np.uint8), rng.integers(0, 2, (n, 16, 16)).astype(np.uint8), np.arange(n)
    )
    labels, split = np.arange(n, dtype=np.int32) % 2, np.array(["train"] * 4 + ["test"] * count)
    keys, features = np.array([f"k{i}" for i in range(n)]), np.zeros((n, 128), np.float32)
    data = Downstream("m", ["a", "b"], "accuracy", keys, labels, split, features)
    head = FittedHead(rng.normal(size=(2, 128)).astype(np.float32), np.zeros(2, np.float32), *np.float32([[0], [1]]))
    torch.manual_seed(0)
    network, twin = (build_backbone("resnet_small")[0].eval() for _ in range(2))
    (part,) = explained_layers(network, {"backbone": "resnet_small"}, ["layer3"]).values()
    own, masks = labels[rows].astype(np.int64), np.stack([images.mask(row) for row in rows.tolist()])
    inputs = network, part, twin, data, head, images, own, masks, images.batch(rows), np.arange(4), 1 - own
    return Given(*inputs, **PLAN)


@pytest.mark.parametrize("count", [1, 2])
def test_few_images_are_not_compared_with_themselves(count: int) -> None:
    alone = "not checked: fewer than three images"
    taken_from_others = {
        ("cascade", f"another photo ({alone})", SPEARMAN),
        ("permuted masks", alone, AP),
        ("permuted masks", alone, SWAP),
        ("permuted masks", alone, UNRELATED),
    }
    rows = {(row["check"], row["at"], row["measure"]): row for row in check_rows(given(count))}
    assert {key for key, row in rows.items() if row["n"] == 0 and row["value"] is None} == taken_from_others


def test_maps_score_no_better_on_permuted_masks_than_unrelated_maps() -> None:
    found = given(60)
    rows = {(row["check"], row["at"], row["measure"]): row for row in check_rows(found)}
    row = rows["permuted masks", "", UNRELATED]
    assert row["n"] == 60 and row["low"] < 0 < row["high"]
    masks = np.roll(found.masks, 1, axis=0)
    maps = small_maps(found.network, found.part, found.pixels, found.head, [found.labels], "cpu")[0]
    own, third, uniform, ceiling = scored(maps, np.roll(maps, 2, axis=0), masks, "bilinear")[:, :, 0].mean(axis=0)
    assert row["value"] == pytest.approx((own - third) / (ceiling - uniform))
