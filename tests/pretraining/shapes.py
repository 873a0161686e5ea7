"""Small coloured images in one file, and runs over them, for tests of pretraining."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tests import file_bytes
from tests.helpers import tar_images
from workflow_scripts.core.shards import TarImages
from workflow_scripts.models.text.caption_tokenizer import train_tokenizer
from workflow_scripts.pretraining.data.caption_vectors import CaptionVectors
from workflow_scripts.pretraining.data.pairing import with_itself
from workflow_scripts.pretraining.data.token_rows import TokenRows, TokenSizes, write_rows
from workflow_scripts.pretraining.monitor.probing import split_rows
from workflow_scripts.pretraining.settings import METHODS, Pretrain
from workflow_scripts.pretraining.training.plan import Plan

COLOURS = np.array([(220, 40, 40), (40, 200, 60), (50, 70, 230), (230, 200, 40)])
SMALL: dict[str, Any] = {
    "method": "simclr",
    "pairs": "self",
    "augmentation": "simclr",
    "backbone": "resnet_small",
    "image_size": 24,
    "batch_size": 8,
    "steps": 6,
    "warmup_steps": 2,
    "log_every": 2,
    "simclr": {"projector": [16, 8]},
}
_TEXT: dict[str, Any] = {"embedding": 8, "text_width": 16, "text_layers": 1, "text_heads": 2}
HEADS: dict[str, dict[str, Any]] = {
    "simclr": {"projector": [16, 8]},
    "simsiam": {"projector": [16, 16], "predictor": 8},
    "supervised": {},
    "clip": _TEXT,
    "slip": {**_TEXT, "projector": [16, 8]},
    "lgslip": {**_TEXT, "projector": [16]},
    # Queues that batches of 8 wrap around and fill before a run of six steps ends.
    "declip_nn": {**_TEXT, "queue": 20},
    "nnclr": {"projector": [16, 8], "predictor": 8, "queue": 20},
    "clip_sbert": {"embedding": 8},
    "xclr": {"projector": [16, 8]},
    "multi_positive": {"projector": [16, 8], "partners": 2},
    "swav": {"projector": [16, 8], "prototypes": 6, "frozen_steps": 2, "queue": 12, "queue_from": 1},
}
"""Small settings of each method that trains."""
TEXTS = ("a red disc", "green", "the blue one <end>", "yellow!")


def of_method(name: str, number: int = 24) -> dict[str, Any]:
    """What :func:`plan` needs for a run of a method over ``number`` images: settings, and what it learns from."""
    method, learned = METHODS[name], {}
    if {"tokens", "caption_ids"} & set(method.learns):
        learned["captions"] = [TEXTS[i % 4] for i in range(number)]
    if "vectors" in method.learns:
        learned["vectors"] = np.random.default_rng(1).normal(size=(number, 6))
    if name == "clip_sbert":  # one method whose pairs have weights, which depend on earlier batches
        learned |= {"pair_weight": "itm", "faithfulness": np.random.default_rng(2).random(number)}
    if method.labels:
        learned["labels"] = np.arange(number) % 4
    return {"method": name, "pairs": method.pairs[0], "simclr": None, name: HEADS[name], **learned}


def encoded(number: int, seed: int = 0, side: int = 28) -> list[bytes]:
    """PNG files: a disc of colour ``i % 4`` on noise."""
    generator = np.random.default_rng(seed)
    made = []
    for i in range(number):
        pixels = generator.integers(0, 80, (side, side + i % 3, 3))
        y, x = np.mgrid[:side, : side + i % 3]
        inside = (y - generator.integers(8, side - 8)) ** 2 + (x - generator.integers(8, side - 8)) ** 2 < 49
        pixels[inside] = COLOURS[i % 4]
        made.append(file_bytes.encoded(pixels.astype(np.uint8)))
    return made


def images(folder: Path, number: int = 24) -> TarImages:
    """``number`` images as a shard would give them."""
    return tar_images(folder / "images.tar", encoded(number))


def plan(
    folder: Path,
    number: int = 24,
    workers: int = 1,
    keep: bool = True,
    captions: list[str] | None = None,
    labels: np.ndarray | None = None,
    vectors: np.ndarray | None = None,
    faithfulness: np.ndarray | None = None,
    **changed: Any,
) -> Plan:
    """A run of self pairs over ``number`` images, labels their colours; ``changed`` are settings."""
    work = folder / "work"
    work.mkdir(parents=True, exist_ok=True)
    settings = Pretrain.model_validate({**SMALL, **changed})
    shown = images(folder, number)
    probe = split_rows(shown, np.arange(number) % 4, settings.probe.images) if settings.probe else None
    embedded, more = None, {"work": work, "device": "cpu", "threads": 1, "workers": workers}
    if vectors is not None:
        np.save(folder / "vectors.npy", vectors.astype(np.float32))
        embedded = CaptionVectors(folder / "vectors.npy", np.arange(number))
    tokens = token_rows(work, captions) if captions else None
    scores = None if faithfulness is None else faithfulness.astype(np.float32)
    numbers = None if captions is None else np.unique(captions, return_inverse=True)[1]
    return Plan(
        settings, shown, keep, with_itself(np.arange(number)), numbers, tokens, labels, embedded, scores, probe, **more
    )


def token_rows(folder: Path, captions: list[str]) -> TokenRows:
    """Captions as tokens of a tokenizer that was trained on them, at most eight."""
    tokenizer, path = train_tokenizer([captions], 280), folder / "tokens.npy"
    special = tokenizer.special
    lengths, _ = write_rows(iter([captions]), partial(tokenizer.rows, context=8), special.vocabulary, path)
    sizes = TokenSizes(special.vocabulary, special.end, special.padding, 8)
    return TokenRows(path, sizes, np.cumsum(lengths) - lengths, lengths)
