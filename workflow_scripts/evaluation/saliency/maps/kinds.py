"""All maps that are scored: the network's own, those of wrong classes, floors, and the ceiling.

To add a floor, add a row here and its map in :mod:`workflow_scripts.evaluation.saliency.maps.floors`; one of a layer's
channels also has its name in ``KINDS`` of :mod:`workflow_scripts.evaluation.saliency.maps.grad_cam`.
"""

from dataclasses import dataclass
from typing import Literal

from workflow_scripts.core.declaration.result_names import CEILING, CHANCE, LEAD, LEADING
from workflow_scripts.core.registry import by_name

Role = Literal["own", "swap", "floor", "ceiling"]


@dataclass(frozen=True)
class MapKind:
    """A kind of map.

    Attributes:
        name: in the column ``target`` of tables.
        role: ``own``: Grad-CAM of the true class; ``swap``: of another class; ``floor``: a map that knows less;
            ``ceiling``: a map that knows the mask.
        layered: whether it depends on the network's layer; the others are scored once for all layers.
        summary: what it is, in one phrase.
    """

    name: str
    role: Role
    layered: bool
    summary: str


KINDS = by_name(
    [
        MapKind(LEADING, "own", True, "Grad-CAM of the probe's logit for the true class"),
        MapKind("cosine", "own", True, "Grad-CAM of the cosine to the mean feature of the true class"),
        MapKind("runner_up", "swap", True, "Grad-CAM of the logit of the wrong class that the probe ranks highest"),
        MapKind("random_class", "swap", True, "Grad-CAM of the logit of a wrong class drawn with a fixed seed"),
        MapKind("other_image", "floor", True, "the map of another image, for that image's class"),
        MapKind("random_cam", "floor", True, "the layer's channels with random weights (RandomCAM)"),
        MapKind("lafam", "floor", True, "the mean of the layer's channels (LaFAM), which uses no class"),
        MapKind("eigen_cam", "floor", True, "the first principal component of the layer's channels (EigenCAM)"),
        MapKind(CHANCE, "floor", False, "a constant map: chance"),
        MapKind("centre_gaussian", "floor", False, "a round Gaussian at the centre, the same for all images"),
        MapKind(
            "mean_mask", "floor", False, "the mean mask of training images or, where these have none, of the others"
        ),
        MapKind("sobel", "floor", False, "edges of the image (Sobel), without a network"),
        MapKind(CEILING, "ceiling", True, "the mask at the layer's resolution, enlarged as maps are"),
    ]
)
LAYERED = tuple(name for name, kind in KINDS.items() if kind.layered)
COMMON = tuple(name for name, kind in KINDS.items() if not kind.layered)


def is_compared(family: str) -> bool:
    """Whether runs are compared by a metric: of saliency only by those of their own maps, not of floors or ceilings."""
    if not family.startswith("saliency."):
        return True
    own = {name for name, kind in KINDS.items() if kind.role == "own"}
    return not own.isdisjoint(family.split(".")) and not family.endswith(f".{LEAD}")
