"""A backbone with the heads of its method, whose ``forward`` gives the loss of a batch."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import nn

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.models.backbones import build_backbone
from workflow_scripts.pretraining.data.batch import Batch
from workflow_scripts.pretraining.losses.pair_weights import PairWeights
from workflow_scripts.pretraining.method import Sizes
from workflow_scripts.pretraining.settings import METHODS, Pretrain
from workflow_scripts.pretraining.speed.recomputing import recompute_blocks
from workflow_scripts.stats.seeds import derive

NO_SIZES = Sizes()  # of methods that learn from images alone
Loss = Callable[["Network", Batch], torch.Tensor]


class Network(nn.Module):
    """The trained modules: ``backbone``, and those of the method in ``heads``; ``weigh`` makes weights of pairs."""

    def __init__(
        self,
        backbone: nn.Module,
        heads: Mapping[str, nn.Module],
        loss: Loss,
        weigh: PairWeights | None = None,
        compiled: bool = False,
    ) -> None:
        super().__init__()
        self.backbone, self.heads, self.loss, self.weigh = backbone, nn.ModuleDict(heads), loss, weigh
        self._mixed: torch.autocast | None = None
        for module in (self.backbone, *self.heads.values()):
            self._in_mixed_precision(module, compiled)

    def forward(self, batch: Batch) -> torch.Tensor:
        """This process's part of a batch -> scalar loss.

        Inside autocast, backbone and heads are computed in its precision and give float32, and everything else in
        float32: products of matrices in a loss would be of 16 bits, whatever the type of its inputs.
        """
        if self.weigh is not None:
            batch = batch._replace(weights=self.weigh(batch.scores))
        device = batch.views[0].device.type
        if not torch.is_autocast_enabled(device):
            return self.loss(self, batch)
        self._mixed = torch.autocast(device, torch.get_autocast_dtype(device))
        try:
            with torch.autocast(device, enabled=False):
                return self.loss(self, batch)
        finally:
            self._mixed = None

    def _in_mixed_precision(self, module: nn.Module, compiled: bool) -> None:
        plain: Callable[..., torch.Tensor] = torch.compile(module.forward) if compiled else module.forward

        def forward(*inputs: torch.Tensor) -> torch.Tensor:
            if self._mixed is None:
                return plain(*inputs)
            with self._mixed:
                return plain(*inputs).float()

        module.forward = forward


def mlp(inside: int, widths: Sequence[int]) -> list[nn.Module]:
    """Linear layers with batch norm and ReLU between them; the last one is only linear."""
    layers: list[nn.Module] = []
    for width in widths[:-1]:
        layers += [nn.Linear(inside, width, bias=False), nn.BatchNorm1d(width), nn.ReLU(inplace=True)]
        inside = width
    return [*layers, nn.Linear(inside, widths[-1], bias=False)]


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
    if settings.recompute and not recompute_blocks(backbone) + sum(map(recompute_blocks, heads.values())):
        value, advice = f"{settings.backbone} has no blocks in a row", "set it to false, or use another backbone"
        raise PipelineError("recompute has no effect", "pretraining.recompute", value, advice)
    return Network(
        backbone,
        heads,
        lambda network, batch: objective.loss(network, settings.head, batch),
        weigh,
        settings.compile,
    )
