"""Sanity and faithfulness of one checkpoint's maps on one set: rows of a small table."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import torch
from torch import nn

from workflow_scripts.core.declaration.result_names import CORRECTED, LEAD, ROAD, SPEARMAN
from workflow_scripts.evaluation.downstream import Downstream
from workflow_scripts.evaluation.linear_probe.heads import FittedHead
from workflow_scripts.evaluation.packed import PackedImages
from workflow_scripts.evaluation.saliency.checks.cascade import TRAINED, cascade, map_correlation
from workflow_scripts.evaluation.saliency.checks.explained import MAPS, Checked, scored, small_maps
from workflow_scripts.evaluation.saliency.checks.refit import features_of, refitted
from workflow_scripts.evaluation.saliency.checks.road import drops
from workflow_scripts.evaluation.saliency.correction import SCALES, estimates
from workflow_scripts.evaluation.saliency.maps.floors import enlarged
from workflow_scripts.evaluation.saliency.maps.grad_cam import probe_logits
from workflow_scripts.models.backbones import Explained
from workflow_scripts.models.preprocessing import normalise
from workflow_scripts.stats.intervals import percentile_interval
from workflow_scripts.stats.nested import nested_means
from workflow_scripts.stats.seeds import derive

CHECKS = pa.schema(
    [
        *[(name, pa.string()) for name in ("dataset", "check", "at", "measure")],
        *[(name, pa.float64()) for name in ("value", "low", "high")],
        ("n", pa.int64()),
    ]
)
AP, SWAP, UNRELATED = "corrected AP", "own - random class", "own - another image"
ALONE, TWO = "not checked: only one image", "not checked: only two images"
Ends = tuple[float, float, float]  # value, low and high


class CheckPlan(NamedTuple):
    """How maps are checked: see the settings of ``saliency_checks`` for each field."""

    shares: tuple[int, ...]
    upsampling: str
    resamples: int
    level: float
    seed: int
    device: str


class Given(NamedTuple):
    """What the checks read.

    Attributes:
        part: the layer that is explained.
        twin: a network of the same architecture with random weights.
        train: (m,) rows whose features refit the head.
        others: (n,) a wrong class of each checked image.
    """

    network: nn.Module
    part: Explained
    twin: nn.Module
    data: Downstream
    head: FittedHead
    images: PackedImages
    checked: Checked
    train: np.ndarray
    others: np.ndarray


def check_rows(given: Given, plan: CheckPlan) -> Iterator[dict[str, Any]]:
    """Rows of :data:`CHECKS`; ``n`` is the number of images behind a value."""
    for row in (*_cascade(given, plan), *_permuted(given, plan), *_road(given, plan)):
        yield {"dataset": given.data.name, **row}


def _own_maps(given: Given, network: nn.Module, part: Explained, head: FittedHead, device: str) -> np.ndarray:
    """Maps of the true and of a wrong class: (2, n, h, w)."""
    return small_maps(network, part, given.checked, head, [given.checked.labels, given.others], device)


def _scores(
    given: Given, plan: CheckPlan, maps: np.ndarray, masks: np.ndarray, check: str, at: str
) -> Iterator[dict[str, Any]]:
    """Corrected AP of the own map, and its lead over that of a wrong class."""
    for measure, ends in zip((AP, SWAP), _estimated(given, plan, maps[0], maps[1], masks), strict=True):
        yield _row(check, at, measure, len(masks), *ends)


def _estimated(
    given: Given, plan: CheckPlan, own: np.ndarray, other: np.ndarray, masks: np.ndarray
) -> tuple[Ends, Ends]:
    """Corrected AP of the own maps (n, h, w), and its lead over other maps."""
    found = scored(own, other, masks, plan.upsampling)
    every = np.ones(len(found), bool)
    seed = derive(plan.seed, "checks", given.data.name)
    one = estimates(found[None], given.checked.labels, every, MAPS, plan.resamples, plan.level, seed)
    corrected, lead = (
        (float(one.values[at]), float(one.low[at]), float(one.high[at]))
        for at in ((SCALES.index(CORRECTED), 0, 0), (SCALES.index(LEAD), 1, 0))
    )
    return corrected, lead


def _row(check: str, at: str, measure: str, n: int, *ends: float | None) -> dict[str, Any]:
    value, low, high = (None if one is None or not np.isfinite(one) else float(one) for one in ends)
    return {"check": check, "at": at, "measure": measure, "value": value, "low": low, "high": high, "n": n}


def _mean_row(given: Given, plan: CheckPlan, values: np.ndarray, check: str, at: str, measure: str) -> dict[str, Any]:
    """Mean of one value per image; images without one, such as those with a constant map, don't count in ``n``."""
    known = np.isfinite(values)
    if not known.any():
        return _row(check, at, measure, 0, None, None, None)
    labels, some = given.checked.labels[known], values[known]
    if len(np.unique(labels)) < 2:
        return _row(check, at, measure, len(some), some.mean(), None, None)
    seed = derive(plan.seed, "checks", check, at, measure)
    drawn = nested_means(some[:, None], labels, np.ones(len(some)), plan.resamples, seed)[:, 0]
    return _row(check, at, measure, len(some), *percentile_interval(some.mean(), drawn, plan.level))


def _cascade(given: Given, plan: CheckPlan) -> Iterator[dict[str, Any]]:
    """Weights randomised from the last part to the first, the head refitted each time."""
    trained: np.ndarray | None = None
    for name, network in cascade(given.network, given.twin):
        part = given.part if name == TRAINED else _same_part(given, network)
        head = _refit(given, network, given.data.labels[given.train], plan.device)
        maps = _own_maps(given, network, part, head, plan.device)
        yield from _scores(given, plan, maps, given.checked.masks, "cascade", name)
        if trained is None:
            trained = maps[0]
            if len(trained) > 1:
                unlike = map_correlation(trained, np.roll(trained, 1, axis=0))
                yield _mean_row(given, plan, unlike, "cascade", "another photo", SPEARMAN)
            else:
                yield _row("cascade", f"another photo ({ALONE})", SPEARMAN, 0, None, None, None)
        else:
            yield _mean_row(given, plan, map_correlation(trained, maps[0]), "cascade", name, SPEARMAN)


def _same_part(given: Given, network: nn.Module) -> Explained:
    """The explained part in a copy of the network."""
    path = next(name for name, module in given.network.named_modules() if module is given.part.module)
    return given.part._replace(module=network.get_submodule(path))


def _refit(given: Given, network: nn.Module, labels: np.ndarray, device: str) -> FittedHead:
    features = features_of(network, given.images, given.train, device)
    return refitted(features, labels, len(given.data.classes))


def _permuted(given: Given, plan: CheckPlan) -> Iterator[dict[str, Any]]:
    """The masks of other images; and a head for permuted labels."""
    yield from _permuted_masks(given, plan)
    rng = np.random.default_rng(derive(plan.seed, "labels", given.data.name))
    head = _refit(given, given.network, rng.permutation(given.data.labels[given.train]), plan.device)
    maps = _own_maps(given, given.network, given.part, head, plan.device)
    yield from _scores(given, plan, maps, given.checked.masks, "permuted labels", "")


def _permuted_masks(given: Given, plan: CheckPlan) -> Iterator[dict[str, Any]]:
    """Maps on the mask of the image before, compared with the map of the image before that.

    Neither map knows the mask, so their difference should be 0. The score itself need not be: objects tend to be
    central, and average precision is above chance, on average, for any unrelated map that is not constant.
    """
    check, n = "permuted masks", len(given.checked.masks)
    if n == 1:
        yield from (_row(check, ALONE, measure, 0, None, None, None) for measure in (AP, SWAP, UNRELATED))
        return
    maps = _own_maps(given, given.network, given.part, given.head, plan.device)
    masks = np.roll(given.checked.masks, 1, axis=0)
    yield from _scores(given, plan, maps, masks, check, "")
    if n == 2:  # the image before the one before is the image itself
        yield _row(check, TWO, UNRELATED, 0, None, None, None)
        return
    _, lead = _estimated(given, plan, maps[0], np.roll(maps[0], 2, axis=0), masks)
    yield _row(check, "", UNRELATED, n, *lead)


def _road(given: Given, plan: CheckPlan) -> Iterator[dict[str, Any]]:
    """The logit's fall without the pixels that the map ranks highest and lowest, and the difference of both."""
    own = _own_maps(given, given.network, given.part, given.head, plan.device)[0]
    maps = enlarged(own, given.images.size, plan.upsampling)
    images = normalise(given.checked.pixels.to(plan.device))
    labels = torch.from_numpy(given.checked.labels).to(plan.device)
    logits = probe_logits(*given.head, plan.device)
    for share in plan.shares:
        seed = derive(plan.seed, "road", share)
        found = drops(given.network.to(plan.device), images, maps, lambda part: logits(labels[part]), share, seed)
        found["most - least"] = found["most"] - found["least"]
        for order, values in found.items():
            yield _mean_row(given, plan, values, ROAD, f"{share} % removed", f"fall of the logit, {order}")
