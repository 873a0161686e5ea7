"""Settings of a network that is not trained here: where it comes from, and how it sees images."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from workflow_scripts.core.registry import OneOf, discover, listed
from workflow_scripts.core.settings import Settings, quantity
from workflow_scripts.models.networks.layout import Colours, Deviations, Layout
from workflow_scripts.models.networks.view import Resize, View, view_of

LAYOUTS = discover("workflow_scripts.models.networks.layouts", Layout)


class ExternalNetwork(Settings):
    """A network that is not trained here."""

    name: str = Field(examples=["clip-b16"])
    """Name; part of the names of its runs."""
    layout: Annotated[str, OneOf(LAYOUTS)] = Field(
        description=f"how its weights are stored. {listed(LAYOUTS)}", examples=["torchvision"]
    )
    architecture: str = Field(
        "", pattern=r"^[A-Za-z0-9_]*(\.[A-Za-z0-9_]+)?$", max_length=100, examples=["resnet50.IMAGENET1K_V2"]
    )
    """timm and torchvision: the library's name of the architecture; with the name of its weights after a dot, the
    library's preprocessing for them. timm: empty if config.json names it."""
    weights: Literal["pretrained", "random"] = Field("pretrained", examples=["random"])
    """random: the same architecture, initialised from the run's seed."""
    prefix: str = Field("", max_length=100, examples=["module.encoder."])
    """Prefix of the names of the network's weights in the file; others are ignored."""
    image_size: int | None = quantity(None, unit="px", ge=16, examples=[384])
    """Side of the centre crop; null: the layout's usual one, an error if the library states another."""
    resize: Resize | None = Field(None, examples=["bilinear"])
    """How images are resized; null: as image_size."""
    crop: float | None = quantity(None, unit="share of the side", ge=0.1, le=1, examples=[0.9])
    """Share of the resized shorter side that the centre crop keeps; null: as image_size."""
    mean: Colours | None = Field(None, examples=[[0.5, 0.5, 0.5]])
    """Means of the channels, for values from 0 to 1; null: the library's, or the layout's usual ones."""
    std: Deviations | None = Field(None, examples=[[0.5, 0.5, 0.5]])
    """Standard deviations of the channels; null: as mean."""
    features: str = Field("", max_length=200, examples=["layer3"])
    """Path of the module whose output, averaged over space or tokens, are the features; empty: the classifier's input.
    """
    layer: str = Field("", max_length=200, examples=["blocks.11.norm1"])
    """Path of the module that Grad-CAM explains; empty: the last one with a map."""

    @property
    def view(self) -> View:
        """How the network sees images, as far as the config says it."""
        usual = LAYOUTS[self.layout].usual
        side, resize = self.image_size or usual.image_size, self.resize or usual.resize
        return view_of(side, resize, self.crop or usual.crop)

    @model_validator(mode="after")
    def _named_if_needed(self) -> Self:
        layout = LAYOUTS[self.layout]
        if layout.architecture == "must" and not self.architecture:
            raise ValueError(f"layout {layout.name} needs an architecture")
        if layout.architecture == "must not" and self.architecture:
            raise ValueError(f"layout {layout.name} has one architecture; remove {self.architecture}")
        if layout.architecture == "may" and self.weights == "random" and not self.architecture:
            raise ValueError("weights random need an architecture")
        if self.prefix and self.weights == "random":
            raise ValueError("prefix has no effect on random weights; remove it")
        return self
