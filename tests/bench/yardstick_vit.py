"""Writes the small vision transformer of ``tests/config/yardsticks.yaml``, as timm publishes networks.

python -m tests.bench.yardstick_vit FOLDER
"""

import sys

import timm
import torch

if __name__ == "__main__":
    torch.manual_seed(0)
    timm.models.save_for_hf(timm.create_model("test_vit", num_classes=10), sys.argv[1], safe_serialization=True)
