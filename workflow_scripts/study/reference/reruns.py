"""Which stages an edit of the config reruns: those whose jobs change.

This is derived, not listed by key: a key is set to its example in a study that has every section; then, for each stage,
the jobs of both studies are compared by the parts of the key that follow from the config: settings, device, threads
and inputs.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from workflow_scripts.acquisition.settings import Import
from workflow_scripts.core.declaration.facts import Unit
from workflow_scripts.core.digest import ROOT
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.runtime.stage import Stage
from workflow_scripts.evaluation.contrasts.settings import Contrast, Term
from workflow_scripts.evaluation.discrimination.rule import Discrimination, Ordering
from workflow_scripts.pretraining.method import Method
from workflow_scripts.pretraining.settings import INSTEAD, METHODS
from workflow_scripts.stages.demo_world import DemoWorld
from workflow_scripts.stages.pack import Pack
from workflow_scripts.stages.score_captions import JUDGES
from workflow_scripts.study.config.files import read_config
from workflow_scripts.study.config.sections import (
    RESERVED_PAIRS,
    CaptionLabelsSection,
    ImageEncoder,
    Judge,
    Network,
    Run,
    Study,
    TextEncoder,
)
from workflow_scripts.study.config.stages import declaration, facts, stage_names
from workflow_scripts.study.config.study import load_study
from workflow_scripts.study.units import Units

Keys = tuple[str, ...]
COLLECTING = ("caption_comparison", "report")  # these read whatever the study has, and choose nothing

NETWORKS: dict[str, dict[str, Any]] = {
    "clip-b16": {"source": "network", "architecture": "resnet50"},
    "random": {"weights": "random", "architecture": "resnet18"},
}
ORDERING = Ordering(lower="clip-b16", higher="random")
# So that the encoder of a judge or run, and of the search for leakage, can be changed.
ANOTHER = TextEncoder(name="another", source="another")
OTHER_IMAGES = ImageEncoder(name="other_images", source="another")


class Reruns:
    """Compares edited studies with one that has every section."""

    def __init__(self) -> None:
        self.study = _whole_study()
        self._jobs = _jobs(Units(self.study))

    def stages(self, path: Keys, examples: list[Any]) -> list[str]:
        """Stages that an edit of a key reruns; none if it changes no result.

        Args:
            path: path of the key, such as ``("arms", "kind")``; in a list, one of the items is changed.
            examples: values to change it to, until one makes a difference.
        """
        if _outside_keys(path):
            return []
        for edited in (one for example in examples for one in edits(self.study, path, example)):
            try:
                jobs = _jobs(Units(edited))
            except (ValidationError, PipelineError, StopIteration, KeyError):
                continue  # this item can't have the value, since others refer to it
            if found := [stage for stage in sorted(jobs) if jobs[stage] != self._jobs[stage]]:
                return found
        return []

    def text(self, path: Keys, examples: list[Any]) -> str:
        """These stages as the reference lists them; empty if there are no examples to try."""
        return stages_text(self.stages(path, examples)) if examples else ""


def stages_text(stages: list[str]) -> str:
    """Stages as listed in the reference; if nearly all are included, as all but the others."""
    others = sorted(stage_names() - set(stages))
    if not stages:
        return "*nothing*"
    if len(others) < len(stages) / 2:
        return f"all but {_listed(others)}"
    return _listed(stages)


def _listed(stages: list[str]) -> str:
    return ", ".join(f"`{stage}`" for stage in stages)


def _outside_keys(path: Keys) -> bool:
    """Whether a key of a list's items is in no artifact's key; an item that is added would make artifacts anyway."""
    sections = {stage: facts(stage).section or "" for stage in stage_names()}
    found = [declaration(stage) for stage, section in sections.items() if section.startswith(f"{path[0]}.{{")]
    having = [stage for stage in found if stage is not None and path[-1] in stage.settings.model_fields]
    return bool(having) and all(path[-1] in stage.not_in_key for stage in having)


def edits(value: Any, path: Keys, new: Any) -> Iterator[Any]:
    """Settings with another value at a path; only the value itself is checked.

    In a list, or a mapping of names, each item is edited in turn; then an edited item is added to the list.
    """
    key, below = path[0], path[1:]
    if isinstance(value, tuple | list):
        edited = [(number, one) for number, item in enumerate(value) for one in edits(item, path, new)]
        yield from (type(value)([*value[:number], one, *value[number + 1 :]]) for number, one in edited)
        yield from (type(value)([*value, one]) for _, one in edited[:1])
    elif isinstance(value, BaseModel):
        field = type(value).model_fields[key]
        checked: Any = Annotated[field.annotation, Field(), *field.metadata]
        for one in edits(getattr(value, key), below, new) if below else [TypeAdapter(checked).validate_python(new)]:
            yield value.model_copy(update={key: one})
    elif isinstance(value, Mapping) and any(isinstance(item, BaseModel) for item in value.values()):
        yield from ({**value, name: one} for name, item in value.items() for one in edits(item, path, new))
    else:  # settings that are not checked yet: those of `pretraining`
        given = dict(value) if isinstance(value, Mapping) else {}
        given.pop(INSTEAD.get(key), None)
        yield from ({**given, key: one} for one in (edits(given.get(key), below, new) if below else [new]))


def _whole_study() -> Study:
    """The full study with a demo world, reduced to the fewest items that cover every kind."""
    study = load_study(read_config([ROOT / "config.yaml"]))
    download = study.download.model_copy(update={"imports": [Import(kind="img2dataset", source="images")]})
    first = {name: {"seeds": (0,), "augmentation": method.augmentations[0]} for name, method in METHODS.items()}
    runs = {run.method: run.model_copy(update=first[run.method]) for run in study.runs}
    runs = {name: _run(method) for name, method in METHODS.items() if not method.external} | runs
    first_run = next(iter(runs))
    runs[first_run] = runs[first_run].model_copy(update={"check_saliency": True})
    networks = tuple(Network.model_validate({"name": name, "layout": "timm", **one}) for name, one in NETWORKS.items())
    few = {
        "download": download,
        "shards": study.shards.model_copy(update={"shards": 3}),
        "text_encoders": (*study.text_encoders, ANOTHER),
        "image_encoders": (*study.image_encoders, OTHER_IMAGES),
        "leakage": study.leakage.model_copy(update={"encoder": OTHER_IMAGES.name}),
        "judges": tuple(_judge(study, kind) for kind in JUDGES),
        "networks": networks,
        "runs": (*runs.values(), *(_run(METHODS["external"], network) for network in NETWORKS)),
        "datasets": (*study.datasets[:2], study.datasets[-1]),
        "contrasts": (
            Contrast(name="first", minuend="original", subtrahend="self"),
            Contrast(name="second", terms=(Term(weight=1, pairs="original"), Term(weight=-1, pairs="self"))),
        ),
        "pretraining": {**study.pretraining, "processes": 2},  # so that two nodes are possible
        "evaluation": study.evaluation.model_copy(update={"discrimination": Discrimination(orderings=(ORDERING,))}),
    }
    labels = CaptionLabelsSection(source="labels")
    inputs = {"pack": Pack()}
    return study.model_copy(update={"demo_world": DemoWorld(), "caption_labels": labels, **inputs, **few})


def _judge(study: Study, kind: str) -> Judge:
    needs = JUDGES[kind].needs
    encoder = ANOTHER if JUDGES[kind].by_reference else study.text_encoders[0]
    given = {
        "source": study.recaption.matcher if "model" in needs else None,
        "encoder": encoder.name if "text" in needs else None,
        "photos": "photos" if "photos" in needs else None,
        "reference": study.arms[0].name if JUDGES[kind].by_reference else None,
    }
    return Judge.model_validate({"name": kind, "kind": kind, **given})


def _run(method: Method, network: str | None = None) -> Run:
    """A run of a method that the full study does not use; methods that need no pair table or arm get none."""
    pairs = next((pairs for pairs in RESERVED_PAIRS if pairs in method.pairs), "revised")
    encoder = ANOTHER.name if "vectors" in method.learns else None
    return Run(method=method.name, pairs=pairs, augmentation=method.augmentations[0], encoder=encoder, network=network)


def _jobs(units: Units) -> dict[str, Any]:
    """For each stage its jobs: unit, and everything in their keys that follows from the config."""
    compute = units.study.compute
    found: dict[str, Any] = {}
    for stage in stage_names():
        declared = declaration(stage)
        if declared is None:  # the crate, which has no key and depends on settings alone
            found[stage] = units.settings(stage, {})
            continue
        named = [declared.unit_of(name) for name in units.names(stage) or []]
        environment = None if declared.by_content else (declared.device(compute.device), compute.math_threads)
        content = [(unit, declared.in_key(units.settings(stage, unit)), _read(units, declared, unit)) for unit in named]
        found[stage] = (content, environment)
    return found


def _read(units: Units, stage: Stage, unit: Unit) -> Any:
    """The sources of a job, and the artifacts that it reads by choice of the config."""
    if stage.name == "source":
        return units.sources_by_name[unit["source"]].at
    if stage.name in COLLECTING:
        return None
    chosen = [name for name, declared in facts(stage.name).inputs.items() if not isinstance(declared, str)]
    return units.sources(stage.name, unit), [units.read(stage.name, name, unit) for name in chosen]
