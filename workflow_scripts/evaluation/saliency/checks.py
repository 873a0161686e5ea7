"""Sanity and faithfulness of one checkpoint's maps on one set: rows of a small table.

Sanity: weights are replaced by random ones, from the last part of a network to the first (Adebayo et al. 2018,
NeurIPS), with a head refitted to the changed network; or labels and masks are permuted. Faithfulness: how much a logit
changes if the pixels that a map ranks highest, or lowest, are removed. In ROAD (Rong et al. 2022, ICML) these are
replaced by noisy linear combinations of their neighbours, so that their shape says little; the imputation is
pytorch-grad-cam's.
"""

import copy
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import torch
from pytorch_grad_cam.metrics.road import ROADLeastRelevantFirst, ROADMostRelevantFirst
from scipy.stats import rankdata
from sklearn.linear_model import LogisticRegression
from torch import nn

from workflow_scripts.core.declaration.result_names import (
    CEILING,
    CHANCE,
    CORRECTED,
    HEADLINE,
    LEAD,
    LEADING,
    ROAD,
    SPEARMAN,
)
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.evaluation.downstream import Downstream
from workflow_scripts.evaluation.linear_probe.heads import FittedHead
from workflow_scripts.evaluation.packed import PackedImages
from workflow_scripts.evaluation.saliency.correction import SCALES, estimates
from workflow_scripts.evaluation.saliency.maps.floors import enlarged, oracle
from workflow_scripts.evaluation.saliency.maps.grad_cam import Target, explaining, grad_cam, probe_logits
from workflow_scripts.evaluation.saliency.scores import SCORES, near_object, score_maps
from workflow_scripts.models.backbones import Explained
from workflow_scripts.models.preprocessing import normalise
from workflow_scripts.stats.intervals import percentile_interval
from workflow_scripts.stats.nested import nested_means
from workflow_scripts.stats.seeds import derive

TRAINED, WHOLE = "trained", "all"
MAPS = (LEADING, "runner_up", CHANCE, CEILING)
"""What :func:`scored` scores, by the names of :data:`~workflow_scripts.evaluation.saliency.maps.kinds.KINDS`."""
BATCH, MAP_BATCH, ITERATIONS = 256, 64, 200
TRAIN_IMAGES = 2000
"""Most training images to which the head of a changed network is fitted."""
ORDERS: dict[str, Callable[[int], object]] = {"most": ROADMostRelevantFirst, "least": ROADLeastRelevantFirst}
ROAD_BATCH = 32
CHECKS = pa.schema(
    [
        *[(name, pa.string()) for name in ("dataset", "check", "at", "measure")],
        *[(name, pa.float64()) for name in ("value", "low", "high")],
        ("n", pa.int64()),
    ]
)
AP, SWAP, UNRELATED = "corrected AP", "own - random class", "own - another image"
FEW = "not checked: fewer than three images"
Ends = tuple[float, float, float]  # value, low and high


def small_maps(
    network: nn.Module, part: Explained, pixels: torch.Tensor, head: FittedHead, classes: list[np.ndarray], device: str
) -> np.ndarray:
    """Grad-CAM of the logits of some classes: (kinds, n, h, w) float32 at the layer's resolution.

    Args:
        pixels: (n, 3, s, s) uint8.
        classes: for each kind of map, the class of each image (n,).
    """
    logits, found = probe_logits(*head, device), []
    with explaining(network.to(device), [part]) as cam:
        for start in range(0, len(pixels), MAP_BATCH):
            batch = slice(start, start + MAP_BATCH)
            targets = [logits(torch.from_numpy(one[batch].astype(np.int64)).to(device)) for one in classes]
            (maps,), _ = grad_cam(cam, normalise(pixels[batch].to(device)), targets)
            found.append(maps)
    return np.concatenate(found, axis=1)


def scored(own: np.ndarray, swapped: np.ndarray, masks: np.ndarray, upsampling: str) -> np.ndarray:
    """Headline score of the maps of :data:`MAPS`: (n, maps, 1) float64.

    Args:
        own, swapped: (n, h, w) small maps.
        masks: (n, s, s) uint8.
    """
    at, size, found = list(SCORES).index(HEADLINE), masks.shape[-1], []
    for first, second, mask in zip(own, swapped, masks, strict=True):
        layered = enlarged(np.stack([first, second, oracle(mask, first.shape)]), size, upsampling)
        maps = np.stack([layered[0], layered[1], np.ones((size, size), np.float32), layered[2]])
        found.append(score_maps(maps, mask, near_object(mask, 0), np.array([0.0, 1.0]))[:, [at]])
    return np.stack(found)


def cascade(network: nn.Module, untrained: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """The network itself, then with its last part from ``untrained``, then also the one before, down to the first.

    Weights that are in no part, such as the class token and the positions of a transformer, are replaced last, so that
    the last network is ``untrained``. The network itself is not changed.
    """
    yield TRAINED, network
    changed = copy.deepcopy(network)
    parts = _parts(changed)
    for name, part in reversed(parts):
        part.load_state_dict(untrained.get_submodule(name).state_dict())
        yield name, changed.eval()
    inside = tuple(f"{name}." for name, _ in parts)
    if not all(key.startswith(inside) for key in changed.state_dict()):
        changed.load_state_dict(untrained.state_dict())
        yield WHOLE, changed.eval()


def _parts(module: nn.Module, prefix: str = "") -> list[tuple[str, nn.Module]]:
    """Paths and children that have weights or buffers; the one child that keeps a network's stages is split in turn."""
    found = [(name, child) for name, child in module.named_children() if child.state_dict()]
    inner = [name for name, child in found if _has_parts(child)]
    staged = [name for name, child in found if any(_is_list_of_stages(one) for one in (child, *child.children()))]
    split = inner if len(inner) == 1 else staged if len(staged) == 1 else []
    parts: list[tuple[str, nn.Module]] = []
    for name, child in found:
        path = f"{prefix}{name}"
        parts += _parts(child, f"{path}.") if name in split else [(path, child)]
    return parts


def _has_parts(module: nn.Module) -> bool:
    return any(child.state_dict() for child in module.children())


def _is_list_of_stages(module: nn.Module) -> bool:
    return isinstance(module, nn.Sequential | nn.ModuleList) and any(_has_parts(child) for child in module)


def map_correlation(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Spearman's rank correlation of two maps of each image, (n, h, w) each: (n,) float64, nan for a constant map."""
    ranks = [rankdata(one.reshape(len(one), -1), axis=1) for one in (first, second)]
    centred = [one - one.mean(axis=1, keepdims=True) for one in ranks]
    norms = np.sqrt(np.square(centred[0]).sum(axis=1) * np.square(centred[1]).sum(axis=1))
    product = (centred[0] * centred[1]).sum(axis=1)
    return np.divide(product, norms, out=np.full(len(norms), np.nan), where=norms > 0)


def training_rows(data: Downstream, seed: int, most: int = TRAIN_IMAGES) -> np.ndarray:
    """Rows to which heads are fitted, drawn by hash: one of each class, then a second of each, and so on.

    Args:
        most: rows, or one of each class if there are more classes.

    Returns:
        (m,) int64, ascending.

    Raises:
        PipelineError: the training and validation images are of fewer than two classes.
    """
    rows = data.rows("train", "val")
    present = np.unique(data.labels[rows])
    if len(present) < 2:
        value = f"training and validation images of {len(present)} classes"
        raise PipelineError("no head can be fitted", data.name, value, "remove the set, or add images of other classes")
    drawn = np.array([derive(seed, "train", str(data.keys[row])) for row in rows])
    order = np.lexsort([drawn, data.labels[rows]])
    labels = data.labels[rows][order]
    turn = np.empty(len(rows), np.int64)
    turn[order] = np.arange(len(rows)) - np.searchsorted(labels, labels)
    return np.sort(rows[np.lexsort([drawn, turn])][: max(most, len(present))])


@torch.inference_mode()
def features_of(network: nn.Module, images: PackedImages, rows: np.ndarray, device: str) -> np.ndarray:
    """Features of some rows: (n, d) float32."""
    parts = [rows[start : start + BATCH] for start in range(0, len(rows), BATCH)]
    network = network.to(device)
    return np.concatenate([network(normalise(images.batch(one).to(device))).float().cpu().numpy() for one in parts])


def refitted(features: np.ndarray, labels: np.ndarray, classes: int) -> FittedHead:
    """Logistic regression (C = 1) on standardised features: a quick head, the same for every change that is compared.

    Args:
        features: (n, d) float32 of training images.
        labels: (n,) their classes, of which there are at least two; a class without an image has bias -inf.
        classes: of the set.
    """
    mean, std = features.mean(axis=0), features.std(axis=0)
    std = np.where(std > 0, std, 1).astype(np.float32)
    model = LogisticRegression(C=1.0, max_iter=ITERATIONS).fit((features - mean) / std, labels)
    weight = np.zeros((classes, features.shape[1]), np.float32)
    bias = np.full(classes, -np.inf, np.float32)
    if len(model.classes_) == 2:  # one row stands for both
        weight[model.classes_] = np.stack([-model.coef_[0], model.coef_[0]]) / 2
        bias[model.classes_] = np.array([-1, 1]) * model.intercept_[0] / 2
    else:
        weight[model.classes_], bias[model.classes_] = model.coef_, model.intercept_
    return FittedHead(weight, bias, mean.astype(np.float32), std)


def drops(
    network: nn.Module, images: torch.Tensor, maps: np.ndarray, target: Callable[[slice], Target], share: int, seed: int
) -> dict[str, np.ndarray]:
    """Fall of the logit without the ``share`` per cent of pixels of highest (``most``) and lowest (``least``) value.

    Ties are broken at random: with the library alone, a map whose lowest value is that of more pixels than are to be
    removed would lose all of them.

    Args:
        network: on the images' device.
        images: (n, 3, s, s) float32, normalised.
        maps: (n, s, s) float32.
        target: images of the batch -> features (b, d) -> logits (b,).
        seed: of ties and of the imputation's noise.

    Returns:
        Order -> (n,) float64: the logit before minus the logit after.
    """
    ranks = _ranks(maps, seed)
    found: dict[str, list[np.ndarray]] = {name: [] for name in ORDERS}
    with torch.random.fork_rng():
        for name, order in ORDERS.items():
            torch.manual_seed(seed)
            for start in range(0, len(images), ROAD_BATCH):
                part = slice(start, start + ROAD_BATCH)
                found[name].append(_drop(network, images[part], ranks[part], target(part), order(100 - share)))
    return {name: np.concatenate(parts).astype(np.float64) for name, parts in found.items()}


def _drop(network: nn.Module, images: torch.Tensor, ranks: np.ndarray, target: Target, measure: object) -> np.ndarray:
    with torch.no_grad():
        before = target(network(images)).cpu().numpy()
    # The library gives the features (d,) of one image.
    logits = [lambda features, at=at: target(features.expand(len(images), -1))[at] for at in range(len(images))]
    after = measure(images, ranks, logits, network, return_diff=False)  # type: ignore[operator]
    return np.asarray(before - after)


def _ranks(maps: np.ndarray, seed: int) -> np.ndarray:
    """Ranks of the pixels of each map, as shares in 0..1 float32, ties in random order."""
    flat = maps.reshape(len(maps), -1)
    noise = np.random.default_rng(seed).random(flat.shape)
    order = np.lexsort((noise, flat), axis=1)
    ranks = np.empty(flat.shape, np.float32)
    np.put_along_axis(ranks, order, np.arange(flat.shape[1], dtype=np.float32)[None] / flat.shape[1], axis=1)
    return ranks.reshape(maps.shape)


class Given(NamedTuple):
    """What the checks read, and how maps are checked: see the settings of ``saliency_checks``.

    Attributes:
        part: the layer that is explained.
        twin: a network of the same architecture with random weights.
        labels: (n,) int64, classes of the images that are checked.
        masks: (n, s, s) uint8, their masks, which have an object.
        pixels: (n, 3, s, s) uint8.
        train: (m,) rows whose features refit the head.
        others: (n,) a wrong class of each checked image.
    """

    network: nn.Module
    part: Explained
    twin: nn.Module
    data: Downstream
    head: FittedHead
    images: PackedImages
    labels: np.ndarray
    masks: np.ndarray
    pixels: torch.Tensor
    train: np.ndarray
    others: np.ndarray
    shares: tuple[int, ...]
    upsampling: str
    resamples: int
    level: float
    seed: int
    device: str


def check_rows(given: Given) -> Iterator[dict[str, Any]]:
    """Rows of :data:`CHECKS`; ``n`` is the number of images behind a value."""
    for row in (*_cascade(given), *_permuted_masks(given), *_permuted_labels(given), *_road(given)):
        yield {"dataset": given.data.name, **row}


def _own_maps(given: Given, network: nn.Module, part: Explained, head: FittedHead) -> np.ndarray:
    """Maps of the true and of a wrong class: (2, n, h, w)."""
    return small_maps(network, part, given.pixels, head, [given.labels, given.others], given.device)


def _scores(given: Given, maps: np.ndarray, masks: np.ndarray, check: str, at: str) -> Iterator[dict[str, Any]]:
    """Corrected AP of the own map, and its lead over that of a wrong class."""
    for measure, ends in zip((AP, SWAP), _estimated(given, maps[0], maps[1], masks), strict=True):
        yield _row(check, at, measure, len(masks), *ends)


def _estimated(given: Given, own: np.ndarray, other: np.ndarray, masks: np.ndarray) -> tuple[Ends, Ends]:
    """Corrected AP of the own maps (n, h, w), and its lead over other maps."""
    found = scored(own, other, masks, given.upsampling)
    every = np.ones(len(found), bool)
    seed = derive(given.seed, "checks", given.data.name)
    one = estimates(found[None], given.labels, every, MAPS, given.resamples, given.level, seed)
    places = (SCALES.index(CORRECTED), 0, 0), (SCALES.index(LEAD), 1, 0)
    corrected, lead = ((float(one.values[at]), float(one.low[at]), float(one.high[at])) for at in places)
    return corrected, lead


def _row(check: str, at: str, measure: str, n: int, *ends: float | None) -> dict[str, Any]:
    value, low, high = (None if one is None or not np.isfinite(one) else float(one) for one in ends)
    return {"check": check, "at": at, "measure": measure, "value": value, "low": low, "high": high, "n": n}


def _mean_row(given: Given, values: np.ndarray, check: str, at: str, measure: str) -> dict[str, Any]:
    """Mean of one value per image; images without one, such as those with a constant map, don't count in ``n``."""
    known = np.isfinite(values)
    if not known.any():
        return _row(check, at, measure, 0, None, None, None)
    labels, some = given.labels[known], values[known]
    if len(np.unique(labels)) < 2:
        return _row(check, at, measure, len(some), some.mean(), None, None)
    seed = derive(given.seed, "checks", check, at, measure)
    drawn = nested_means(some[:, None], labels, np.ones(len(some)), given.resamples, seed)[:, 0]
    return _row(check, at, measure, len(some), *percentile_interval(some.mean(), drawn, given.level))


def _cascade(given: Given) -> Iterator[dict[str, Any]]:
    """Weights randomised from the last part to the first, the head refitted each time."""
    trained: np.ndarray | None = None
    path = next(name for name, module in given.network.named_modules() if module is given.part.module)
    for name, network in cascade(given.network, given.twin):
        part = given.part._replace(module=network.get_submodule(path))
        head = _refit(given, network, given.data.labels[given.train])
        maps = _own_maps(given, network, part, head)
        yield from _scores(given, maps, given.masks, "cascade", name)
        if trained is None:
            trained = maps[0]
            if len(trained) > 2:
                unlike = map_correlation(trained, np.roll(trained, 1, axis=0))
                yield _mean_row(given, unlike, "cascade", "another photo", SPEARMAN)
            else:
                yield _row("cascade", f"another photo ({FEW})", SPEARMAN, 0, None, None, None)
        else:
            yield _mean_row(given, map_correlation(trained, maps[0]), "cascade", name, SPEARMAN)


def _refit(given: Given, network: nn.Module, labels: np.ndarray) -> FittedHead:
    features = features_of(network, given.images, given.train, given.device)
    return refitted(features, labels, len(given.data.classes))


def _permuted_labels(given: Given) -> Iterator[dict[str, Any]]:
    """A head for permuted labels."""
    rng = np.random.default_rng(derive(given.seed, "labels", given.data.name))
    head = _refit(given, given.network, rng.permutation(given.data.labels[given.train]))
    maps = _own_maps(given, given.network, given.part, head)
    yield from _scores(given, maps, given.masks, "permuted labels", "")


def _permuted_masks(given: Given) -> Iterator[dict[str, Any]]:
    """Maps on the mask of the image before, compared with the map of the image before that.

    Neither map knows the mask, so their difference should be 0. The score itself need not be: objects tend to be
    central, and average precision is above chance, on average, for any unrelated map that is not constant.
    """
    check, n = "permuted masks", len(given.masks)
    if n < 3:  # of two, the image before the one before is the image itself
        yield from (_row(check, FEW, measure, 0, None, None, None) for measure in (AP, SWAP, UNRELATED))
        return
    maps = _own_maps(given, given.network, given.part, given.head)
    masks = np.roll(given.masks, 1, axis=0)
    yield from _scores(given, maps, masks, check, "")
    _, lead = _estimated(given, maps[0], np.roll(maps[0], 2, axis=0), masks)
    yield _row(check, "", UNRELATED, n, *lead)


def _road(given: Given) -> Iterator[dict[str, Any]]:
    """The logit's fall without the pixels that the map ranks highest and lowest, and the difference of both."""
    own = _own_maps(given, given.network, given.part, given.head)[0]
    maps = enlarged(own, given.images.size, given.upsampling)
    images = normalise(given.pixels.to(given.device))
    labels = torch.from_numpy(given.labels).to(given.device)
    logits = probe_logits(*given.head, given.device)
    for share in given.shares:
        seed = derive(given.seed, "road", share)
        found = drops(given.network.to(given.device), images, maps, lambda part: logits(labels[part]), share, seed)
        found["most - least"] = found["most"] - found["least"]
        for order, values in found.items():
            yield _mean_row(given, values, ROAD, f"{share} % removed", f"fall of the logit, {order}")
