"""A backbone with the heads of its method, whose ``forward`` gives the loss of a batch."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

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
Embed = Callable[["Network", Batch], tuple[torch.Tensor, ...]]
Loss = Callable[["Network", Batch, Sequence[torch.Tensor]], torch.Tensor]


class Network(nn.Module):
    """The trained modules: ``backbone``, and those of the method in ``heads``; ``weigh`` makes weights of pairs."""

    def __init__(
        self,
        backbone: nn.Module,
        heads: Mapping[str, nn.Module],
        embed: Embed,
        loss: Loss,
        weigh: PairWeights | None = None,
        compiled: bool = False,
    ) -> None:
        super().__init__()
        self.backbone, self.heads, self.weigh = backbone, nn.ModuleDict(heads), weigh
        self.embed, self.loss = embed, loss
        self._mixed: torch.autocast | None = None
        for module in (self.backbone, *self.heads.values()):
            self._in_mixed_precision(module, compiled)

    def forward(self, batch: Batch, gradients: Sequence[torch.Tensor | None] | None = None) -> torch.Tensor:
        """This process's part of a batch -> scalar loss.

        With ``gradients`` of a loss by what :meth:`embedded` gives (None: 0) -> a scalar with the same gradients.
        """
        rows = self.embedded(batch)
        if gradients is None:
            return self.compared(batch, rows)
        return torch.stack([(one * of).sum() for one, of in zip(rows, gradients, strict=True) if of is not None]).sum()

    def embedded(self, batch: Batch) -> tuple[torch.Tensor, ...]:
        """What the method compares: tensors with one row per pair.

        Inside autocast, backbone and heads are computed in its precision and give float32, and everything else in
        float32: products of matrices in a loss would be of 16 bits, whatever the type of its inputs.
        """
        with self._precise(batch.views[0].device.type):
            return self.embed(self, batch)

    def compared(self, batch: Batch, rows: Sequence[torch.Tensor]) -> torch.Tensor:
        """The scalar loss of what :meth:`embedded` gave; called once per step, as queues and means move on."""
        if self.weigh is not None:
            batch = batch._replace(weights=self.weigh(batch.scores))
        with self._precise(batch.views[0].device.type):
            return self.loss(self, batch, rows)

    @contextmanager
    def _precise(self, device: str) -> Iterator[None]:
        if not torch.is_autocast_enabled(device):
            yield
            return
        self._mixed = torch.autocast(device, torch.get_autocast_dtype(device))
        try:
            with torch.autocast(device, enabled=False):
                yield
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
        value, advice = f"{settings.backbone} has no sequence of blocks", "set it to false, or use another backbone"
        raise PipelineError("recompute has no effect", "pretraining.recompute", value, advice)
    return Network(
        backbone,
        heads,
        lambda network, batch: objective.embed(network, settings.head, batch),
        lambda network, batch, rows: objective.loss(network, settings.head, batch, rows),
        weigh,
        settings.compile,
    )
