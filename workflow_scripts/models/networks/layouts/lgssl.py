"""The released checkpoints of El Banani et al. (CVPR 2023): a ResNet-50 without a classifier.

They have timm's names, which are torchvision's too.
"""

from pathlib import Path

from workflow_scripts.models.networks.layout import Found, Layout, Usual


def find(architecture: str, source: Path | None) -> Found:
    """The backbone of the original study."""
    return Found(backbone="torchvision:resnet50", classifier=("fc.",))


LAYOUT = Layout(
    name="lgssl",
    summary="released checkpoints of the original study (github.com/mbanani/lgssl)",
    usual=Usual(224, "bicubic", 1.0, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    find=find,
)
