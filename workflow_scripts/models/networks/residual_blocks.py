"""Residual blocks of convolutional networks."""

from torch import nn


def start_at_zero(network: nn.Module) -> int:
    """Set the gain of the batch norm that ends each residual block to 0, so that a block begins as its shortcut.

    As in Goyal et al. 2017, "Accurate, Large Minibatch SGD", section 5.1. Blocks of timm say themselves what ends them;
    those of torchvision's ResNets and of ours end in ``bn3`` or, without one, in ``bn2``.

    Returns:
        The number of blocks that were changed.
    """
    found = 0
    for module in network.modules():
        own = getattr(module, "zero_init_last", None)
        last = getattr(module, "bn3", None) or getattr(module, "bn2", None)
        if callable(own):
            own()
        elif hasattr(module, "downsample") and isinstance(last, nn.BatchNorm2d):
            nn.init.zeros_(last.weight)
        else:
            continue
        found += 1
    return found
