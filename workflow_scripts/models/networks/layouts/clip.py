"""CLIP checkpoints as transformers saves them, whole or the image tower alone."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, Field

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.models.networks.layout import Colours, Deviations, Found, Layout, Preset, Usual, read_description

if TYPE_CHECKING:
    from torch import Tensor

TOWER = "vision_model."
RESAMPLING = {2: "bilinear", 3: "bicubic"}  # Pillow's numbers


class Vision(BaseModel):
    """transformers' CLIPVisionConfig."""

    image_size: int = Field(ge=16, le=4096)
    hidden_size: int = Field(ge=1, le=10_000)
    intermediate_size: int = Field(ge=1, le=50_000)
    num_hidden_layers: int = Field(ge=1, le=200)
    num_attention_heads: int = Field(ge=1, le=1000)
    patch_size: int = Field(ge=1, le=4096)
    hidden_act: str
    layer_norm_eps: float = Field(gt=0)


class Whole(BaseModel):
    """transformers' CLIPConfig."""

    vision_config: Vision | None = None


class Shown(BaseModel):
    """transformers' CLIPImageProcessor."""

    resample: int | None = None
    size: dict[str, int | None] | int | None = None
    image_mean: Colours | None = None
    image_std: Deviations | None = None


def find(architecture: str, source: Path | None) -> Found:
    """The image tower that ``config.json`` describes, and how ``preprocessor_config.json`` shows it images.

    Raises:
        PipelineError: there is no such description, or it is damaged.
    """
    folder = source or Path()
    whole = read_description(folder / "config.json", Whole)
    if whole is None:
        advice = "give a folder with the config.json of CLIPModel or CLIPVisionModel"
        raise PipelineError("no CLIP checkpoint", source or "networks", "no config.json", advice)
    tower = whole.vision_config or read_description(folder / "config.json", Vision)
    assert tower is not None
    options = tower.model_dump(exclude={"image_size"})
    return Found(backbone="clip:vision", options=options, preset=_preset(folder, tower.image_size))


def _preset(folder: Path, size: int) -> Preset:
    seen = read_description(folder / "preprocessor_config.json", Shown)
    if seen is None:
        return Preset(image_size=size)
    side = seen.size.get("shortest_edge") if isinstance(seen.size, dict) else seen.size
    resize = None if seen.resample is None else RESAMPLING.get(seen.resample, f"resample {seen.resample}")
    return Preset(size, resize, size / side if side else None, seen.image_mean, seen.image_std)


def rename(weights: "Mapping[str, Tensor]") -> "dict[str, Tensor]":
    """The tower's weights; those of the text tower and of the projections are left out, and so are old counters."""
    tower = {name.removeprefix(TOWER): value for name, value in weights.items() if name.startswith(TOWER)} or weights
    return {f"vision.{name}": value for name, value in tower.items() if not name.endswith("position_ids")}


LAYOUT = Layout(
    name="clip",
    summary="image encoder of a CLIP checkpoint of transformers: a folder with config.json and model.safetensors",
    usual=Usual(224, "bicubic", 1.0, (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)),
    describes=True,
    find=find,
    rename=rename,
)
