from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from workflow_scripts.core.declaration.result_names import SPEARMAN
from workflow_scripts.evaluation.downstream import Downstream
from workflow_scripts.evaluation.linear_probe.heads import FittedHead
from workflow_scripts.evaluation.packed import PackedImages
from workflow_scripts.evaluation.saliency.checks.explained import chosen, scored, small_maps
from workflow_scripts.evaluation.saliency.checks.run import AP, SWAP, UNRELATED, CheckPlan, Given, _mean_row, check_rows
from workflow_scripts.models.backbones import build_backbone, explained_layers

PLAN = CheckPlan((50,), "bilinear", 100, 0.95, 0, "cpu")


def mean_row(values: list[float], labels: list[int]) -> dict[str, Any]:
    given: Any = SimpleNamespace(checked=SimpleNamespace(labels=np.array(labels)))
    return _mean_row(given, PLAN, np.array(values), "cascade", "conv1", "Spearman")


def test_only_images_with_a_value_count() -> None:
    row = mean_row([0.2, np.nan, 0.4, 0.6], [0, 0, 1, 1])
    assert (row["n"], row["value"]) == (3, pytest.approx(0.4))
    assert row["low"] < row["value"] < row["high"]


def test_a_bound_that_is_missing_is_not_zero() -> None:
    row = mean_row([0.2, 0.4, np.nan], [0, 0, 1])
    assert (row["n"], row["value"], row["low"], row["high"]) == (2, pytest.approx(0.3), None, None)
    row = mean_row([np.nan, np.nan], [0, 1])
    assert (row["n"], row["value"], row["low"], row["high"]) == (0, None, None, None)


def given(count: int) -> Given:
    """``count`` checked images; four others train the heads."""
    rng, rows = np.random.default_rng(0), np.arange(4, 4 + count)
    n = 4 + count
    images = PackedImages(
        rng.integers(0, 256, (n, 16, 16, 3), np.uint8), rng.integers(0, 2, (n, 16, 16)).astype(np.uint8), np.arange(n)
    )
    labels, split = np.arange(n, dtype=np.int32) % 2, np.array(["train"] * 4 + ["test"] * count)
    keys, features = np.array([f"k{i}" for i in range(n)]), np.zeros((n, 128), np.float32)
    data = Downstream("m", ["a", "b"], "accuracy", True, keys, labels, split, features)
    head = FittedHead(rng.normal(size=(2, 128)).astype(np.float32), np.zeros(2, np.float32), *np.float32([[0], [1]]))
    torch.manual_seed(0)
    network, twin = (build_backbone("resnet_small")[0].eval() for _ in range(2))
    (part,) = explained_layers(network, {"backbone": "resnet_small"}, ["layer3"]).values()
    checked = chosen(data, images, rows)
    return Given(network, part, twin, data, head, images, checked, np.arange(4), 1 - checked.labels)


def test_a_single_image_is_not_compared_with_itself() -> None:
    alone = "not checked: only one image"
    taken_from_others = {
        ("cascade", f"another photo ({alone})", SPEARMAN),
        ("permuted masks", alone, AP),
        ("permuted masks", alone, SWAP),
        ("permuted masks", alone, UNRELATED),
    }
    rows = {(row["check"], row["at"], row["measure"]): row for row in check_rows(given(1), PLAN)}
    assert {key for key, row in rows.items() if row["n"] == 0 and row["value"] is None} == taken_from_others
    compared = {(row["check"], row["at"], row["measure"]) for row in check_rows(given(2), PLAN) if row["n"] == 2}
    assert {("cascade", "another photo", SPEARMAN), ("permuted masks", "", AP)} <= compared
    assert UNRELATED not in {measure for _, _, measure in compared}


def test_maps_on_permuted_masks_are_no_better_than_maps_of_a_third_image() -> None:
    found = given(60)
    rows = {(row["check"], row["at"], row["measure"]): row for row in check_rows(found, PLAN)}
    row = rows["permuted masks", "", UNRELATED]
    assert row["n"] == 60 and row["low"] < 0 < row["high"]
    masks = np.roll(found.checked.masks, 1, axis=0)
    maps = small_maps(found.network, found.part, found.checked, found.head, [found.checked.labels], "cpu")[0]
    own, third, uniform, ceiling = scored(maps, np.roll(maps, 2, axis=0), masks, "bilinear")[:, :, 0].mean(axis=0)
    assert row["value"] == pytest.approx((own - third) / (ceiling - uniform))
