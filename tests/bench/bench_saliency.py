"""Images per second of Grad-CAM: ours from the explained layer on, against pytorch-grad-cam on the whole network.

    python -m tests.bench.bench_saliency [--backbone resnet50] [--size 224] [--images 48]

Both run in this process, on the same images in the same batches, for the same layers: once for one target, and once for
the four that the stage explains. The baseline has gradients for all weights and one target at a time, as the library is
used. Also prints the time to score all maps of an image. The ratio for one target must be at least 1.5.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from pytorch_grad_cam import GradCAM
from torch import nn

from workflow_scripts.evaluation.saliency.maps.floors import enlarged
from workflow_scripts.evaluation.saliency.maps.grad_cam import Target, explaining, grad_cam
from workflow_scripts.evaluation.saliency.maps.kinds import COMMON, LAYERED
from workflow_scripts.evaluation.saliency.scores import near_object, score_maps
from workflow_scripts.models.backbones import Explained, build_backbone, explained_layers

LEAST, MOST_TARGETS, BATCH, THRESHOLDS = 1.5, 4, 16, 101


def images_per_second(work: Callable[[torch.Tensor], None], images: torch.Tensor) -> float:
    """Rate over all images, after one batch that is not counted."""
    work(images[:BATCH])
    started = time.perf_counter()
    for part in images.split(BATCH):
        work(part)
    return len(images) / (time.perf_counter() - started)


def library(network: nn.Module, parts: Sequence[Explained], rows: torch.Tensor, batch: torch.Tensor) -> None:
    """pytorch-grad-cam on the whole network, target by target."""
    network.requires_grad_(True)
    for row in rows:
        with GradCAM(model=network, target_layers=[part.module for part in parts]) as cam:
            cam(batch, [lambda features, row=row: features @ row] * len(batch))


def maps(cam: GradCAM, targets: Sequence[Target], batch: torch.Tensor) -> None:
    """Ours."""
    grad_cam(cam, batch, targets)


def main() -> None:
    """Print both rates and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbone", default="resnet50")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--images", type=int, default=48)
    given = parser.parse_args()
    torch.manual_seed(0)
    network, width = build_backbone(given.backbone)
    network.eval()
    images = torch.randn(given.images, 3, given.size, given.size)
    rows = torch.randn(MOST_TARGETS, width)
    parts = list(explained_layers(network, {"backbone": given.backbone}, ("layer4", "layer3")).values())
    ratios = []
    for chosen in (rows[:1], rows):
        baseline = images_per_second(partial(library, network, parts, chosen), images)
        with explaining(network, parts) as cam:
            targets = [partial(torch.mv, vec=row) for row in chosen]
            ours = images_per_second(partial(maps, cam, targets), images)
        ratios.append(ours / baseline)
        print(f"targets {len(chosen)}: library {baseline:.2f} images/s, ours {ours:.2f}, ratio {ratios[-1]:.2f}")
    _scoring(given.size)
    if ratios[0] < LEAST:
        raise SystemExit(f"the ratio is below {LEAST}")


def _scoring(size: int) -> None:
    """Print the time to score the maps of one image and layer."""
    rng = np.random.default_rng(0)
    maps = enlarged(rng.random((len(LAYERED) + len(COMMON), 7, 7)), size, "bilinear")
    mask = np.zeros((size, size), np.uint8)
    mask[size // 4 : size // 2, size // 4 : size // 2] = 1
    near, thresholds = near_object(mask, size / 15), np.linspace(0, 1, THRESHOLDS)
    started = time.process_time()
    for _ in range(10):
        score_maps(maps, mask, near, thresholds)
    print(f"scores of {len(maps)} maps: {100 * (time.process_time() - started):.1f} ms per image")


if __name__ == "__main__":
    main()
