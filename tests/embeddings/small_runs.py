"""What a small run leaves: the weights of its network, and those of its text tower."""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file

from workflow_scripts.models.backbones import build_backbone
from workflow_scripts.models.preprocessing import preprocessing
from workflow_scripts.models.text.caption_tokenizer import CaptionTokenizer, train_tokenizer
from workflow_scripts.models.text.tower import TextTower


def save_network(folder: Path) -> tuple[torch.nn.Module, Path, Path]:
    """A network with random weights; its weights and run.json."""
    torch.manual_seed(0)
    network, width = build_backbone("resnet_small", 24)
    weights, about = folder / "last.safetensors", folder / "run.json"
    save_file(network.state_dict(), weights)
    about.write_text(json.dumps({"backbone": "resnet_small", "feature_dim": width, "preprocessing": preprocessing(24)}))
    return network.eval(), weights, about


def save_tower(folder: Path, context: int = 8) -> tuple[TextTower, CaptionTokenizer, Path, tuple[Path, Path]]:
    """A text tower with random weights and a tokenizer; their files."""
    torch.manual_seed(0)
    tokenizer = train_tokenizer([["a red disc", "the red disc"] * 3], 280)
    special = tokenizer.special
    tower = TextTower(special.vocabulary, special.end, context, 16, 2, 2, 8, original=True)
    weights, files = folder / "text.safetensors", (folder / "t.json", folder / "t.special.json")
    save_file(tower.state_dict(), weights, {"shape": json.dumps(tower.shape)})
    tokenizer.write(*files)
    return tower.eval(), tokenizer, weights, files
