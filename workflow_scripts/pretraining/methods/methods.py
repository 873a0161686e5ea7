"""SimCLR, SimSiam and CLIP: a backbone with heads whose ``forward`` gives the loss of a batch."""

import math
from collections.abc import Sequence

import torch
from torch import nn

from workflow_scripts.models.backbones import build_backbone
from workflow_scripts.pretraining.distributed.gather import all_rows
from workflow_scripts.pretraining.methods.losses import LARGEST_SCALE, clip_loss, nt_xent, simsiam
from workflow_scripts.pretraining.methods.text import TextTower
from workflow_scripts.pretraining.settings import ClipHead, Pretrain, SimclrHead, SimsiamHead
from workflow_scripts.stats.seeds import derive


def mlp(inside: int, widths: Sequence[int]) -> list[nn.Module]:
    """Linear layers with batch norm and ReLU between them; the last one is linear alone."""
    layers: list[nn.Module] = []
    for width in widths[:-1]:
        layers += [nn.Linear(inside, width, bias=False), nn.BatchNorm1d(width), nn.ReLU(inplace=True)]
        inside = width
    return [*layers, nn.Linear(inside, widths[-1], bias=False)]


class Simclr(nn.Module):
    """SimCLR: both views go through the network as one batch."""

    def __init__(self, backbone: nn.Module, dimension: int, head: SimclrHead) -> None:
        super().__init__()
        self.backbone, self.temperature = backbone, head.temperature
        self.projector = nn.Sequential(*mlp(dimension, head.projector))

    def forward(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """Two views (b, 3, s, s) -> scalar loss."""
        one, two = self.projector(self.backbone(torch.cat([first, second]))).float().chunk(2)
        all_one, offset = all_rows(one)
        return nt_xent(one, two, self.temperature, (all_one, all_rows(two)[0]), offset)


class Simsiam(nn.Module):
    """SimSiam: views go through the network one by one; the projector ends in a batch norm without gain and bias."""

    def __init__(self, backbone: nn.Module, dimension: int, head: SimsiamHead) -> None:
        super().__init__()
        self.backbone = backbone
        last = head.projector[-1]
        self.projector = nn.Sequential(*mlp(dimension, head.projector), nn.BatchNorm1d(last, affine=False))
        self.predictor = nn.Sequential(*mlp(last, (head.predictor, last)))

    def forward(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """Two views (b, 3, s, s) -> scalar loss."""
        one, two = self.projector(self.backbone(first)), self.projector(self.backbone(second))
        return simsiam((self.predictor(one), self.predictor(two)), (one, two))


class Clip(nn.Module):
    """CLIP: image and text in one space, logit scale learned and held at most 100."""

    def __init__(self, backbone: nn.Module, dimension: int, head: ClipHead, vocabulary: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.project = nn.Linear(dimension, head.embedding, bias=False)
        nn.init.normal_(self.project.weight, std=dimension**-0.5)
        self.text = TextTower(
            vocabulary, head.context, head.text_width, head.text_layers, head.text_heads, head.embedding
        )
        self.log_scale = nn.Parameter(torch.tensor(-math.log(head.temperature)))

    def forward(self, images: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
        """Images (b, 3, s, s) and tokens (b, context) -> scalar loss."""
        # Beyond the bound its gradient would be 0 for ever, so the parameter itself is brought back.
        with torch.no_grad():
            self.log_scale.clamp_(max=math.log(LARGEST_SCALE))
        image, text = self.project(self.backbone(images)).float(), self.text(tokens).float()
        all_images, offset = all_rows(image)
        return clip_loss(image, text, self.log_scale, (all_images, all_rows(text)[0]), offset)


def seeded_backbone(name: str, seed: int) -> tuple[nn.Module, int]:
    """The backbone as every run of ``seed`` starts with it, whatever its method."""
    torch.manual_seed(derive(seed, "backbone"))
    return build_backbone(name)


def build_method(settings: Pretrain, vocabulary: int = 0) -> nn.Module:
    """Backbone and heads of a run, initialised by its seed; ``vocabulary`` is the tokenizer's size (CLIP)."""
    backbone, dimension = seeded_backbone(settings.backbone, settings.seed)
    torch.manual_seed(derive(settings.seed, "heads"))
    if settings.simclr is not None:
        return Simclr(backbone, dimension, settings.simclr)
    if settings.simsiam is not None:
        return Simsiam(backbone, dimension, settings.simsiam)
    if settings.clip is not None:
        return Clip(backbone, dimension, settings.clip, vocabulary)
    raise ValueError(f"method {settings.method} has nothing to train")
