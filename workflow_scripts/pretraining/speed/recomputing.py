"""Values inside the blocks of a network are computed again for the gradients, instead of being kept (Chen et al. 2016,
"Training Deep Nets with Sublinear Memory Cost")."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint


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
