"""CLIP checkpoints as transformers saves them, whole or the image tower alone."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.bounded_json import Unfit, read_object
from workflow_scripts.models.networks.layout import Found, Layout, Preset, Usual

if TYPE_CHECKING:
    from torch import Tensor

FIELDS = (
    *("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "patch_size"),
    *("hidden_act", "layer_norm_eps"),
)
TOWER = "vision_model."


def find(architecture: str, source: Path | None) -> Found:
    """The image tower that ``config.json`` describes, and how ``preprocessor_config.json`` shows it images.

    Raises:
        PipelineError: there is no such description, or it is damaged.
    """
    advice = "give a folder with the config.json of CLIPModel or CLIPVisionModel"
    try:
        config = read_object((source or Path()) / "config.json")
    except (OSError, Unfit) as error:
        raise PipelineError("no CLIP checkpoint", source or "networks", error, advice) from None
    tower: Any = config.get("vision_config", config)
    absent = [name for name in ("image_size", *FIELDS) if name not in tower]
    if absent:
        raise PipelineError("no CLIP checkpoint", str(source), f"config.json without {', '.join(absent)}", advice)
    options = {name: tower[name] for name in FIELDS}
    return Found(backbone="clip:vision", options=options, preset=_preset(source, int(tower["image_size"])))


def _preset(source: Path | None, size: int) -> Preset:
    try:
        seen = read_object((source or Path()) / "preprocessor_config.json")
    except (OSError, Unfit):
        return Preset(image_size=size)
    resize = {2: "bilinear", 3: "bicubic"}.get(seen.get("resample", 3))
    side = seen.get("size")
    shorter = side.get("shortest_edge") if isinstance(side, dict) else side
    colours = (tuple(seen[name]) if seen.get(name) else None for name in ("image_mean", "image_std"))
    return Preset(size, resize, size / shorter if shorter else None, *colours)  # type: ignore[arg-type]


def rename(weights: "Mapping[str, Tensor]") -> "dict[str, Tensor]":
    """The tower's weights; those of the text tower and of the projections are left out, and so are old counters."""
    tower = {name.removeprefix(TOWER): value for name, value in weights.items() if name.startswith(TOWER)} or weights
    return {f"vision.{name}": value for name, value in tower.items() if not name.endswith("position_ids")}


LAYOUT = Layout(
    name="clip",
    summary="image tower of a CLIP checkpoint of transformers: a folder with config.json and model.safetensors",
    usual=Usual(224, "bicubic", 1.0, (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)),
    architecture="must not",
    describes=True,
    find=find,
    rename=rename,
)
