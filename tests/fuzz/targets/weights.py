"""Weights of networks from elsewhere, and what their folders say about them."""

import io
import json
import pickle
import random
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

import torch
from safetensors.torch import save
from torch import nn

from tests.fuzz.mutate import mutate_bytes, mutate_tree
from tests.fuzz.target import Files, Target
from workflow_scripts.models.networks.layouts import clip, timm
from workflow_scripts.models.networks.weights_file import fill, read_weights, weights_file

import_module("timm")  # here, since its time and memory are not an input's
TIMM: dict[str, Any] = {
    "architecture": "test_vit",
    "model_args": {"num_classes": 7, "global_pool": "token", "img_size": [160, 160]},
    "pretrained_cfg": {"input_size": [3, 160, 160], "crop_pct": 0.95, "mean": [0.5, 0.5, 0.5], "classifier": "head"},
}
VISION = {
    "image_size": 32,
    "hidden_size": 8,
    "intermediate_size": 8,
    "num_hidden_layers": 1,
    "num_attention_heads": 1,
    "patch_size": 16,
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-5,
}
SHOWN = {"resample": 3, "size": {"shortest_edge": 32}, "image_mean": [0.5, 0.5, 0.5], "image_std": [1, 1, 1]}


class Fuzzed(Target):
    """Good and damaged files of tensors and objects, and good and absurd descriptions."""

    kinds: ClassVar[frozenset[str]] = frozenset({"filled", "described", "refused"})

    def make(self, rng: random.Random) -> Files:
        """A file of weights, or a folder with descriptions."""
        if rng.random() < 0.4:
            config = rng.choice((TIMM, {"vision_config": VISION}, VISION))
            files = {"config.json": config, "preprocessor_config.json": SHOWN}
            return {
                f"folder/{name}": json.dumps(tree if rng.random() < 0.4 else mutate_tree(tree, rng)).encode()
                for name, tree in files.items()
            }
        data = _weights(rng)
        return {
            f"w{rng.choice(('.pth', '.safetensors', '.bin'))}": data if rng.random() < 0.4 else mutate_bytes(data, rng)
        }

    def run(self, folder: Path) -> str:
        """Fill a network from the file, or find what the folder describes."""
        described = folder / "folder"
        if described.exists():
            known = (
                b"vision_config" in (described / "config.json").read_bytes()
                or b"patch" in (described / "config.json").read_bytes()
            )
            (clip if known else timm).find("", described)
            return "described"
        file = weights_file(folder)
        fill(nn.Linear(2, 3), read_weights(file), ("head.",), file)
        return "filled"


def _weights(rng: random.Random) -> bytes:
    values: dict[str, Any] = {"weight": torch.ones(3, 2), "bias": torch.zeros(3)}
    change = rng.randrange(8)
    if change == 0:
        values["bias"] = rng.choice(
            (torch.zeros(4), torch.zeros(3).to_sparse(), torch.empty(3, device="meta"), 7, None)
        )
    elif change == 1:
        values["head.weight"] = torch.zeros(rng.choice((0, 1, 9)))
    elif change == 2:
        values = rng.choice(({"state_dict": values}, {"state_dict": 3}, {"model": values}, {3: values["bias"]}, {}))
    plain = all(isinstance(one, torch.Tensor) and one.layout == torch.strided for one in values.values())
    named = all(isinstance(name, str) for name in values)
    if plain and named and values and not any(one.is_meta for one in values.values()) and rng.random() < 0.4:
        return save(values)
    if rng.random() < 0.1:
        return pickle.dumps(rng.choice((Path, Path("x"), [1, 2], {"weight": "x"})))
    stream = io.BytesIO()
    torch.save(values, stream, _use_new_zipfile_serialization=rng.random() < 0.6)
    return stream.getvalue()
