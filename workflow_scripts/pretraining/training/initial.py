"""The network of a run before its first step.

Values inside its blocks may be computed again for the gradients, instead of being kept (Chen et al. 2016, "Training
Deep Nets with Sublinear Memory Cost").
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.models.backbones import build_backbone
from workflow_scripts.pretraining.method import Sizes
from workflow_scripts.pretraining.network import Network, PairWeights
from workflow_scripts.pretraining.settings import METHODS, Pretrain
from workflow_scripts.stats.seeds import derive


def blocks(module: nn.Module) -> list[nn.Module]:
    """Residual blocks, layers of transformers and the like: the innermost modules with parts of their own that an
    ``nn.Sequential`` or ``nn.ModuleList`` holds."""
    found: list[nn.Module] = []
    for child in module.children():
        if inner := blocks(child):
            found += inner
        elif isinstance(module, nn.Sequential | nn.ModuleList) and any(True for _ in child.children()):
            found.append(child)
    return found


@contextmanager
def statistics_kept(module: nn.Module) -> Iterator[None]:
    """Inside, the batch norms of ``module`` leave their running statistics as they are."""
    norms = [one for one in module.modules() if isinstance(one, _BatchNorm)]
    before = [(norm.momentum, norm.num_batches_tracked) for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
        if norm.num_batches_tracked is not None:
            norm.num_batches_tracked = norm.num_batches_tracked.clone()
    try:
        yield
    finally:
        for norm, (momentum, number) in zip(norms, before, strict=True):
            norm.momentum, norm.num_batches_tracked = momentum, number


def recompute_blocks(module: nn.Module) -> int:
    """Let the :func:`blocks` of ``module`` compute their values twice in training; returns how many they are."""
    found = blocks(module)
    for block in found:
        _recompute(block)
    return len(found)


def _recompute(block: nn.Module) -> None:
    plain = block.forward

    def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        # The first time, statistics are updated; the second time they must not be again.
        return nullcontext(), statistics_kept(block)

    def forward(*args: Any, **kwargs: Any) -> Any:
        if not (block.training and torch.is_grad_enabled()):
            return plain(*args, **kwargs)
        return checkpoint(plain, *args, use_reentrant=False, context_fn=contexts, **kwargs)

    block.forward = forward


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
