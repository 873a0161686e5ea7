"""A narrow ResNet for small images."""

import torch
from torch import nn


class BasicBlock(nn.Module):
    """torchvision's BasicBlock (two 3 x 3 convolutions and a shortcut), names included.

    torchvision takes longer to import than the demo's networks take to compute a set's features.
    """

    def __init__(
        self, in_channels: int, out_channels: int, stride: int = 1, downsample: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.downsample = downsample

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """(n, in_channels, h, w) -> (n, out_channels, h / stride, w / stride)."""
        residual = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(maps)))))
        residual += maps if self.downsample is None else self.downsample(maps)
        activated: torch.Tensor = self.relu(residual)
        return activated


class SmallResNet(nn.Module):
    """A narrow ResNet for images of 32 to 64 pixels: one :class:`BasicBlock` per stage, widths 16 to 128.

    The stem is a 3 x 3 convolution of stride 2 without max pooling, so a 48-pixel image keeps a 3 x 3 map in
    ``layer4``; names are torchvision's.
    """

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.layer1 = nn.Sequential(BasicBlock(width, width))
        self.layer2 = _stage(width, 2 * width)
        self.layer3 = _stage(2 * width, 4 * width)
        self.layer4 = _stage(4 * width, 8 * width)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(n, 3, h, w) float32 -> (n, 128) float32."""
        maps = self.relu(self.bn1(self.conv1(images)))
        maps = self.layer4(self.layer3(self.layer2(self.layer1(maps))))
        return self.avgpool(maps).flatten(1)


def _stage(in_channels: int, out_channels: int) -> nn.Sequential:
    projection = nn.Conv2d(in_channels, out_channels, 1, stride=2, bias=False)
    shortcut = nn.Sequential(projection, nn.BatchNorm2d(out_channels))
    return nn.Sequential(BasicBlock(in_channels, out_channels, 2, shortcut))
