"""Exports a run's network: weights, config, model card and a loader, checked before the folder is put in place."""

import inspect
import shutil
from pathlib import Path
from typing import Any, NamedTuple

from safetensors.torch import load_file, save
from torch import nn

from workflow_scripts.core.cache import file_hash
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.copies import NetworkRecord, record_network
from workflow_scripts.core.files.jsonio import pretty
from workflow_scripts.export import hubconf
from workflow_scripts.export.architecture import recipe_of, same_features, sample, timm_config, timm_equal
from workflow_scripts.export.card import Card, model_card, view_of_run
from workflow_scripts.export.folder import check_target, replace_folder
from workflow_scripts.export.learned import learned_keys
from workflow_scripts.export.removed import CARD
from workflow_scripts.export.run import Run
from workflow_scripts.models import small_resnet
from workflow_scripts.models.backbones import load_backbone


class Exported(NamedTuple):
    """What was written: the number of images behind it, and whether timm loads it."""

    learned: int
    timm: bool


def export(run: Run, folder: Path, licence: str) -> Exported:
    """Write the network of a run to ``folder``.

    Raises:
        PipelineError: the folder has other files, the weights are damaged, or what was written does not give the
            features of the run's network.
    """
    check_target(folder)
    network, _ = load_backbone(run.weights, run.about)
    recipe = recipe_of(run.metadata["backbone"], int(run.metadata["preprocessing"]["size"]))
    view, width = view_of_run(run), int(run.metadata["feature_dim"])
    in_timm = timm_equal(recipe, network, view.size)
    learned = learned_keys(run.behind)
    about = {"study": run.node.study.name, "run": run.name, "checkpoint": run.checkpoint, "root": run.root}

    def write(part: Path) -> None:
        (part / hubconf.WEIGHTS).write_bytes(save(load_file(run.weights), {"format": "pt"}))
        config = timm_config(recipe, width, view, run.metadata["preprocessing"], about)
        (part / hubconf.CONFIG).write_bytes(pretty(config))
        shutil.copyfile(inspect.getfile(hubconf), part / "hubconf.py")
        if recipe.library == "small_resnet":
            shutil.copyfile(inspect.getfile(small_resnet), part / "small_resnet.py")
        sha256 = file_hash(part / hubconf.WEIGHTS)
        card = Card(recipe, width, view, in_timm, licence, len(learned), sha256)
        (part / CARD).write_text(model_card(run, card), encoding="utf-8")
        _check(part, network, view.size, in_timm)
        record_network(run.node.study, NetworkRecord(folder, sha256, learned))

    replace_folder(folder, write)
    return Exported(len(learned), in_timm)


def _check(part: Path, network: nn.Module, size: int, in_timm: bool) -> None:
    """Load what was written in each promised way, and compare features."""
    loaded: dict[str, Any] = {"torch.hub": hubconf.network(part)}
    if in_timm:
        import timm

        loaded["timm"] = timm.create_model(f"local-dir:{part}", pretrained=True).eval()
    for library, other in loaded.items():
        if not same_features(network, other, sample(size)):
            advice = "this is a bug in Faithful Pairs; please report it with the versions of timm and torch"
            raise PipelineError("export that differs", part, f"features by {library}", advice)
