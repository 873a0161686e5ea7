"""Weights as timm publishes them: a folder of the Hugging Face hub, or a file."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field, PositiveInt

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.models.networks.layout import Colours, Deviations, Found, Layout, Preset, Usual, read_description
from workflow_scripts.models.networks.libraries.timm import KNOWN, check

CONFIG = "config.json"
DECIDED = ("num_classes", "in_chans", "img_size")  # by this workflow


class Seen(BaseModel):
    """timm's ``pretrained_cfg``: how a network sees images, and the name of its classifier."""

    input_size: tuple[PositiveInt, PositiveInt, PositiveInt] | None = None
    interpolation: str | None = None
    crop_pct: Annotated[float, Field(gt=0)] | None = None
    mean: Colours | None = None
    std: Deviations | None = None
    classifier: str | tuple[str, ...] | None = None


class Config(BaseModel):
    """timm's ``config.json``."""

    architecture: str = Field("", pattern=r"^[A-Za-z0-9_]*$")
    model_args: dict[str, Any] = {}
    pretrained_cfg: Seen = Seen()


def find(architecture: str, source: Path | None) -> Found:
    """The architecture of the config or of the source's ``config.json``, which also says how it sees images."""
    import timm

    described = read_description(source / CONFIG, Config) if source is not None else None
    given = described or Config()
    wanted = architecture or given.architecture
    if not wanted:
        where, value = source or "networks", f"no architecture, and no {CONFIG} that names one"
        raise PipelineError(
            "network without an architecture", where, value, "set architecture to a name that timm knows"
        )
    check(wanted)
    name, known = wanted.partition(".")[0], timm.get_pretrained_cfg(wanted, allow_unregistered=True)
    stated = given.pretrained_cfg.model_dump(exclude_unset=True)
    seen = Seen.model_validate({**(known.to_dict() if known else {}), **stated})
    heads = (seen.classifier,) if isinstance(seen.classifier, str) else seen.classifier or ()
    size = seen.input_size[-1] if seen.input_size else None
    preset = Preset(size, seen.interpolation, seen.crop_pct, seen.mean, seen.std)
    classifier = tuple(f"{head}." for head in heads)
    return Found(backbone=f"timm:{name}", classifier=classifier, preset=preset, options=_options(given, source))


def _options(given: Config, source: Path | None) -> dict[str, Any]:
    """Settings of the architecture that the description states: those that decide neither classifier nor image size.

    Raises:
        PipelineError: it states others than :data:`KNOWN`.
    """
    stated = given.model_args
    other = {name: value for name, value in stated.items() if name not in (*KNOWN, *DECIDED)}
    strange = {name: stated[name] for name in KNOWN if not isinstance(stated.get(name, ""), str)}
    if other or strange or stated.get("in_chans", 3) != 3:
        advice = f"only {', '.join(KNOWN)} and three channels are supported"
        value = str(other or strange or {"in_chans": stated["in_chans"]})[:200]
        raise PipelineError("unsupported settings of a network", str(source), value, advice)
    return {name: stated[name] for name in KNOWN if name in stated}


LAYOUT = Layout(
    name="timm",
    summary="timm's weights, in a folder with config.json and model.safetensors (hub:timm/...) or in a file",
    usual=Usual(224, "bicubic", 0.875, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    architecture="may",
    find=find,
)
