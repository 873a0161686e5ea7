"""The network of a run before its first step."""

import torch
from torch import nn

from workflow_scripts.models.backbones import build_backbone
from workflow_scripts.pretraining.method import Sizes
from workflow_scripts.pretraining.network import Network, PairWeights
from workflow_scripts.pretraining.settings import METHODS, Pretrain
from workflow_scripts.stats.seeds import derive

NO_SIZES = Sizes()  # of methods that learn from images alone


def seeded_backbone(name: str, seed: int, image_size: int) -> tuple[nn.Module, int]:
    """The initial backbone of every run with ``seed``, for any method, and the width of its features."""
    torch.manual_seed(derive(seed, "backbone"))
    return build_backbone(name, image_size)


def build_network(settings: Pretrain, sizes: Sizes = NO_SIZES) -> Network:
    """Backbone and heads of a run, initialised by its seed; ``sizes`` are those of what it learns from."""
    objective = METHODS[settings.method].objective
    if objective is None:
        raise ValueError(f"method {settings.method} has no network to train")
    backbone, width = seeded_backbone(settings.backbone, settings.seed, settings.image_size)
    if objective.start is not None:
        objective.start(settings.head, backbone)
    torch.manual_seed(derive(settings.seed, "heads"))
    heads = objective.heads(settings.head, width, sizes)
    weigh = PairWeights() if settings.weighted else None
    return Network(
        backbone,
        heads,
        lambda network, batch: objective.embed(network, settings.head, batch),
        lambda network, batch, rows: objective.loss(network, settings.head, batch, rows),
        weigh,
    )
