"""What a study's config says of its methods, as settings of the report.

Only settings that can change results are here, so that no other edit makes the report stale.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from workflow_scripts.core.sources import HUB, PACKAGE
from workflow_scripts.pretraining.augmentations import AUGMENTATIONS, Augmentation
from workflow_scripts.provenance.run_metadata import flat, value_text
from workflow_scripts.stages.pair_table import PAIR_KINDS
from workflow_scripts.stages.pretrain import STAGE as PRETRAIN
from workflow_scripts.stages.select_captions import ARM_KINDS
from workflow_scripts.study.config.runs import OF_A_RUN, Training
from workflow_scripts.study.config.sections import Pairs, Study

if TYPE_CHECKING:
    from workflow_scripts.study.units import Units

EVALUATIONS = ("linear_probe", "few_shot", "knn", "saliency")
NOT_MODELS = ("annotations", "exclude", "labels", "dataset-")
"""Sources that are listed elsewhere: names, or beginnings of names."""
TOLD = ("norm_weight_decay", "unpaired")
"""Settings that are dumped only where they are set, but told always."""
UNTOLD = {"log_every", "batch_size", "examples"}
"""Settings of what is logged, shown or computed together, which say nothing of a method."""


def methods_settings(units: "Units") -> dict[str, Any]:
    """:class:`workflow_scripts.reporting.settings.Methods` of a study."""
    study = units.study
    trained = [run for run in units.trainings.values() if run.settings.trains]
    idle: dict[str, set[int]] = {}
    for run in units.trainings.values():
        if not run.settings.trains:
            idle.setdefault(run.run.method, set()).add(run.settings.seed)
    same, runs = _trainings(trained)
    used = sorted({run["augmentation"] for run in runs})
    return {
        "synthetic": study.demo_world is not None,
        "redcaps": is_redcaps(study),
        "image_side": study.download.max_side,
        "captions": _captions(study) if units.needed("recaption") else {},
        "arms": {arm.name: arm_text(arm.kind, arm.judge_read, arm.arms_read.get("base")) for arm in study.arms},
        "pairs": {table.name: _pairs(table) for table in study.pairs},
        "training": same,
        "runs": runs,
        "augmentations": {name: _augmentation(AUGMENTATIONS[name]) for name in used},
        "references": {method: sorted(seeds) for method, seeds in sorted(idle.items())},
        "models": _models(units),
        "datasets": {one.name: one.public.name if one.public else "" for one in study.datasets if one.evaluate},
        "evaluation": _evaluation(units) if units.reported and units.runs else {},
    }


def is_redcaps(study: Study) -> bool:
    """Whether the annotations are RedCaps', by their format or the name of their file."""
    given, name = study.annotations.format, Path(study.annotations.source.at).name.lower()
    return given == "redcaps" or (given is None and name.startswith("redcaps") and name.endswith(".zip"))


def _trainings(runs: list[Training]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The settings on which all runs that have them agree, and the runs with their others, seeds together."""
    untold = {*OF_A_RUN} | PRETRAIN.not_in_key | {"log_every"}
    settings = {
        run.name: flat(run.settings.model_dump(mode="json", exclude=untold))
        | {name: getattr(run.settings, name) for name in TOLD}
        for run in runs
    }
    names = sorted({name for each in settings.values() for name in each})
    values = {name: [each[name] for each in settings.values() if name in each] for name in names}
    same = {name: found[0] for name, found in values.items() if all(value == found[0] for value in found)}
    groups: dict[tuple[str, ...], dict[str, Any]] = {}
    for run in runs:
        arm = {name: getattr(run.run, name) or "" for name in ("method", "pairs", "augmentation", "tag")}
        own = {name: value for name, value in settings[run.name].items() if name not in same}
        group = groups.setdefault((*arm.values(), repr(own)), {**arm, "seeds": [], "settings": own})
        group["seeds"].append(run.settings.seed)
    return same, list(groups.values())


def _captions(study: Study) -> dict[str, Any]:
    own = {"captioner", "matcher"} | UNTOLD
    return flat(study.recaption.model_dump(mode="json", exclude=own)) if study.recaption else {}


def arm_text(kind: str, judge: str | None, base: str | None) -> str:
    """What an arm of captions is: of an arm by ITM or by a judge, the way that it takes; and of which other arm."""
    by_itm, _, judged = ARM_KINDS[kind].summary.partition(", or of ")
    of_base = f" (base: {base})" if base and "base" in ARM_KINDS[kind].arms else ""
    return f"the better of {judged}" if judged and judge else f"{by_itm}{of_base}"


def _augmentation(kind: Augmentation) -> str:
    area = f" (crops of {kind.area[0]:.0%} to {kind.area[1]:.0%} of the area)" if kind.area else ""
    return f"{kind.summary}{area}"


def _pairs(table: Pairs) -> str:
    """``the nearest neighbours by minilm among captions of revised (k 1, scope global)``."""
    others = table.model_dump(mode="json", exclude_defaults=True, exclude={"name", "arm", "encoder", "kind"})
    told = flat({"k": table.k, "scope": table.scope, **others})
    settings = ", ".join(f"{name} {value_text(value)}" for name, value in told.items())
    among = f"captions of {table.arm}" if table.arm else "images"
    by = f" by {table.encoder} among {among}" if table.kind == "nearest" else ""
    return f"{PAIR_KINDS[table.kind].summary}{by} ({settings})"


def _models(units: "Units") -> dict[str, str]:
    """Models by the name of their source: a hub's or a package's location; a path says nothing to others."""
    at = {name: units.sources_by_name[name].at for name in units.needed("source") if not name.startswith(NOT_MODELS)}
    return {name: place if place.startswith((HUB, PACKAGE)) else "" for name, place in at.items()}


def _evaluation(units: "Units") -> dict[str, Any]:
    how = units.study.evaluation
    names = [name for name in EVALUATIONS if name != "saliency" or units.mask_datasets]
    sections = {name: getattr(how, name).model_dump(mode="json", exclude=UNTOLD) for name in names}
    return flat({"crop": how.crop, "resize": how.resize, "steps": list(how.steps), **sections})
