"""Weights as timm publishes them: a folder of the Hugging Face hub, or a file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.bounded_json import Unfit, read_object
from workflow_scripts.models.networks.layout import Found, Layout, Preset, Usual
from workflow_scripts.models.networks.libraries.timm import KNOWN, LIBRARY

CONFIG = "config.json"
DECIDED = ("num_classes", "in_chans", "img_size")  # by this workflow


def find(architecture: str, source: Path | None) -> Found:
    """The architecture of the config or of the source's ``config.json``, which also says how it sees images."""
    import timm

    given = _described(source)
    wanted = architecture or str(given.get("architecture", ""))
    if not wanted:
        where, value = source or "networks", f"no architecture, and no {CONFIG} that says it"
        raise PipelineError("network without an architecture", where, value, "add architecture: a name of timm")
    name = wanted.partition(".")[0]
    if not timm.is_model(name):
        LIBRARY.build(name, LAYOUT.usual.image_size, {})  # says which are known
    known: Any = timm.get_pretrained_cfg(wanted, allow_unregistered=True)
    seen: Mapping[str, Any] = {**(known.to_dict() if known else {}), **given.get("pretrained_cfg", {})}
    heads = seen.get("classifier") or ()
    classifier = tuple(f"{one}." for one in ([heads] if isinstance(heads, str) else heads))
    options = _options(given, source)
    return Found(backbone=f"timm:{name}", classifier=classifier, preset=_preset(seen), options=options)


def _described(source: Path | None) -> Mapping[str, Any]:
    """The source's ``config.json``; empty if there is none.

    Raises:
        PipelineError: it is damaged.
    """
    if source is None or not (source / CONFIG).is_file():
        return {}
    try:
        return read_object(source / CONFIG)
    except Unfit as error:
        raise PipelineError("damaged description of a network", source / CONFIG, error, "fetch it again") from None


def _options(given: Mapping[str, Any], source: Path | None) -> dict[str, Any]:
    """Settings of the architecture that the description states: those that decide neither classifier nor image size.

    Raises:
        PipelineError: it states others than :data:`KNOWN`.
    """
    stated = given.get("model_args") or {}
    other = {name: value for name, value in stated.items() if name not in (*KNOWN, *DECIDED)}
    if other or stated.get("in_chans", 3) != 3:
        advice = f"only {', '.join(KNOWN)} and three channels are possible"
        raise PipelineError("network with settings of its own", str(source), other or stated["in_chans"], advice)
    return {name: stated[name] for name in KNOWN if name in stated}


def _preset(seen: Mapping[str, Any]) -> Preset:
    size = seen["input_size"][-1] if seen.get("input_size") else None
    colours = (tuple(seen[name]) if seen.get(name) else None for name in ("mean", "std"))
    return Preset(size, seen.get("interpolation"), seen.get("crop_pct"), *colours)


LAYOUT = Layout(
    name="timm",
    summary="weights of timm: a folder with config.json and model.safetensors (hub:timm/...), or a file",
    usual=Usual(224, "bicubic", 0.875, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    architecture="may",
    describes=False,
    find=find,
    rename=dict,
)
