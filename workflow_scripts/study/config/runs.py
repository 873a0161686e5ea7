"""The runs of a study: sweeps and seeds expanded, the full settings of each, and what each learns from."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import product
from typing import Any, NamedTuple

from pydantic import ValidationError

from workflow_scripts.core.declaration.result_names import EXTERNAL, SUPERVISED, UNTRAINED
from workflow_scripts.core.errors import PipelineErrors
from workflow_scripts.models.networks.view import Scaling, View, view_of
from workflow_scripts.pretraining.method import PAIR_INPUTS
from workflow_scripts.pretraining.settings import BY_CAPTION, HEADS, INSTEAD, METHODS, Pretrain
from workflow_scripts.study.config.errors import Path, validation_errors
from workflow_scripts.study.config.files import Node
from workflow_scripts.study.config.sections import RESERVED_PAIRS, Run, Study

OF_A_RUN = ("method", "pairs", "augmentation", "seed", "network")  # settings that only the items of `runs` have
WITHOUT_TRAINING = frozenset({"backbone", "image_size"})
"""Settings that an untrained network depends on, besides its seed."""
COMPARED = ("original", "generated")
"""Kinds of the arms whose captions are compared for ``pair_weight: agreement``."""
CONTROL_ARMS = ("shuffled", "mixed")
"""Kinds of arms whose captions are not those of the images."""
WRITTEN_OUT = 6  # zeros at the end of a number
NOWHERE = Node()
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d{1,4})?", re.IGNORECASE)
_NOT_IN_TAGS = re.compile(r"[^A-Za-z0-9_]+")


class Item(NamedTuple):
    """An item of ``runs``, or a point of its sweep.

    Attributes:
        run: the item without its sweep; ``set`` holds the values of the point, and ``tag`` names them.
        number: position in ``runs``.
        places: setting in ``set`` -> where the config gives it.
    """

    run: Run
    number: int
    places: Mapping[str, Path]


def items(run: Run, number: int) -> Iterator[Item]:
    """The item itself, or one for each point of its sweep."""
    sweep = run.sweep or {}
    for numbers in product(*(range(len(values)) for values in sweep.values())):
        indices = dict(zip(sweep, numbers, strict=True))
        point = {key: sweep[key][i] for key, i in indices.items()}
        places: dict[str, Path] = {key: ("runs", number, "set", key) for key in run.set}
        places |= {key: ("runs", number, "sweep", key, i) for key, i in indices.items()}
        tag = "_".join(filter(None, (run.tag, point_tag(point))))
        yield Item(run.model_copy(update={"tag": tag, "set": {**run.set, **point}, "sweep": None}), number, places)


def point_tag(values: Mapping[str, Any]) -> str:
    """Tag of a point, such as ``steps-4_lr-1e-3``: its settings in the order of their class."""
    order = list(Pretrain.model_fields)
    return "_".join(f"{key}-{short(values[key])}" for key in sorted(values, key=order.index))


def short(value: Any) -> str:
    """A value in letters, digits, ``_`` and ``-``: 4 and 4.0 as ``4``, 0.001 as ``1e-3``, 1.5 as ``15e-1``."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, Mapping):
        return "-".join(f"{short(key)}-{short(entry)}" for key, entry in value.items())
    if isinstance(value, list | tuple):
        return "-".join(map(short, value))
    if not isinstance(value, int) and not _NUMBER.fullmatch(str(value)):
        return _NOT_IN_TAGS.sub("-", str(value))
    sign, digits, exponent = Decimal(value if isinstance(value, int) else str(value)).normalize().as_tuple()
    assert isinstance(exponent, int)  # only infinities and NaN have another exponent
    shown = "".join(map(str, digits))
    # Steps are written out: 250000, not 25e4.
    shown = shown + "0" * exponent if 0 <= exponent <= WRITTEN_OUT else f"{shown}e{exponent}"
    return f"-{shown}" if sign else shown


@dataclass(frozen=True)
class Training:
    """A run of a study: its item of ``runs``, expanded, and its full settings."""

    study: Study
    item: Item
    settings: Pretrain

    @property
    def run(self) -> Run:
        """Its item of ``runs``, expanded."""
        return self.item.run

    @property
    def name(self) -> str:
        """Name of the run, which is part of file names."""
        run, settings = self.run, self.settings
        parts = (run.method, run.pairs, run.augmentation, settings.shown_backbone, run.tag, f"s{settings.seed}")
        return "-".join(filter(None, parts))

    @property
    def arm(self) -> str | None:
        """The arm whose captions its pairs are made from: its own or its pair table's; None if there is none."""
        if METHODS[self.run.method].by_arm:
            return self.run.pairs
        return next((table.arm for table in self.study.pairs if table.name == self.run.pairs), None)

    @property
    def learned_arm(self) -> str | None:
        """The arm whose captions it learns from, as text, tokens or vectors; None if there is none."""
        return self.arm if METHODS[self.run.method].captions else None

    @property
    def encoder(self) -> str:
        """The text encoder of the vectors that it learns from: its pair table's, its own, or the study's only one."""
        of_table = next((table.encoder for table in self.study.pairs if table.name == self.run.pairs), None)
        if self.settings.pairs == "caption" or of_table is None:
            return self.run.encoder or self.study.text_encoders[0].name
        return of_table

    @property
    def images(self) -> list[str]:
        """``<stage>/<name>`` of the index of the images that it learns from, packed or as they were stored."""
        return [f"{'image_index' if self.study.pack is None else 'pack_index'}/images"] if self.settings.trains else []

    @property
    def pair_table(self) -> list[str]:
        """``<stage>/<name>`` of its pair table, if it has one."""
        return [f"pair_table/{self.run.pairs}"] if "pairs" in self.settings.inputs else []

    @property
    def probe(self) -> list[str]:
        """``<stage>/<name>`` of the labelled set of its online probe, if it has a probe."""
        name = self.study.probe_dataset if self.settings.probe is not None else None
        return [f"eval_dataset/{name}"] if name else []

    def captions(self, kind: str, stage: str) -> list[str]:
        """``<stage>/<name>`` of the captions that it learns from as ``captions`` or ``tokens``, if its method does."""
        return [f"{stage}/{self.learned_arm}"] if kind in self.settings.inputs else []

    @property
    def vectors(self) -> list[str]:
        """``<stage>/<name>`` of the embeddings that it learns from, if its method does."""
        return [f"embed_captions/{self.run.pairs}.{self.encoder}"] if "vectors" in self.settings.inputs else []

    @property
    def faithfulness(self) -> list[str]:
        """``<stage>/<name>`` of what the weights of its pairs are computed from, if they have any."""
        if self.settings.pair_weight == "itm":
            return [f"select_captions/{self.arm}"]
        arms = compared(self.study) if self.settings.pair_weight == "agreement" else []
        return [f"embed_captions/{arm}.{self.encoder}" for arm in arms]

    @property
    def steps(self) -> list[str]:
        """Names of its evaluated checkpoints: those in ``evaluation.steps`` that it keeps, in that order.

        A run that has no checkpoint at a step, because it is shorter or keeps others, skips it. Numbers are epochs in
        runs with epochs. An untrained run has only its last checkpoint.
        """
        if not self.settings.trains:
            return ["last"]
        requested = dict.fromkeys(self.study.evaluation.steps)
        return [self.settings.checkpoint_name(step) for step in requested if step in self.settings.kept]

    @property
    def view(self) -> View:
        """How its network sees images in evaluations."""
        return seen_by(self.settings, self.study.evaluation)


def compared(study: Study) -> list[str]:
    """The arms whose captions are compared for ``pair_weight: agreement``: the first of each of the kinds."""
    names = [next((arm.name for arm in study.arms if arm.kind == kind), None) for kind in COMPARED]
    return [name for name in names if name is not None]


def trainings(study: Study) -> dict[str, Training]:
    """The runs by name.

    Raises:
        PipelineErrors: settings contradict each other.
    """
    items_of_runs = (item for number, run in enumerate(study.runs) for item in items(run, number))
    expanded = [training(study, item, seed) for item in items_of_runs for seed in item.run.seeds]
    return {run.name: run for run in expanded}


def swept(study: Study, runs: Mapping[str, Training]) -> dict[str, dict[str, Any]]:
    """Name of each of ``runs`` that is a point of a sweep -> ``tag`` of its item and ``values`` of what is varied."""
    points = {}
    for name, own in runs.items():
        run = study.runs[own.item.number]
        if run.sweep:
            values = {key: value for key, value in own.run.set.items() if key in run.sweep}
            points[name] = {"tag": run.tag, "values": values}
    return points


def training(study: Study, item: Item, seed: int, root: Node = NOWHERE) -> Training:
    """One run, with its full settings.

    Args:
        item: the run, expanded.
        root: the config, for the file and line in errors; a study that was checked has none.

    Raises:
        PipelineErrors: they contradict each other.
    """
    run = item.run
    kind: Any = run.pairs
    if METHODS[run.method].by_arm:
        kind = "caption"
    elif run.pairs not in RESERVED_PAIRS:
        kind = next("language" if pairs.arm else "visual" for pairs in study.pairs if pairs.name == run.pairs)
    # What a run does not depend on may not recompute it; a misspelt name stays, and is refused below.
    idle = Pretrain.model_fields.keys() - settings_of(run.method)
    if PAIR_INPUTS.get(kind) != "pairs" and "unpaired" not in run.set:
        idle |= {"unpaired"}
    if not (METHODS[run.method].weights and kind in BY_CAPTION) and "pair_weight" not in run.set:
        idle |= {"pair_weight"}
    values = {name: value for name, value in _overridden(study.pretraining, run.set).items() if name not in idle}
    if METHODS[run.method].objective is None:
        values |= {"steps": 0, "warmup_steps": 0, "probe": None, **_network(study, run)}
    elif "checkpoints" not in run.set:
        values |= _reached(values)
    fixed = {"method": run.method, "pairs": kind, "augmentation": run.augmentation, "seed": seed}
    try:
        return Training(study, item, Pretrain.model_validate({**values, **fixed}))
    except ValidationError as error:

        def config_path(loc: tuple[Any, ...]) -> tuple[Any, ...]:
            if loc and loc[0] in item.places:
                return (*item.places[loc[0]], *loc[1:])
            return ("pretraining", *loc) if loc and loc[0] in study.pretraining else ("runs", item.number)

        raise PipelineErrors(validation_errors(error, Pretrain, root, config_path)) from None


def _network(study: Study, run: Run) -> dict[str, Any]:
    """Settings of a run whose network comes from elsewhere; empty if it doesn't."""
    if run.network is None:
        return {}
    network = next(network for network in study.networks if network.name == run.network)
    return {"network": network.model_dump(exclude={"source"}), "image_size": network.view.size}


def settings_of(method: str) -> frozenset[str]:
    """Settings in ``pretraining`` and ``set`` that runs of a method depend on; an untrained one has few."""
    if METHODS[method].external:
        return frozenset()
    if METHODS[method].objective is None:
        return WITHOUT_TRAINING
    return frozenset(Pretrain.model_fields.keys() - set(OF_A_RUN) - (HEADS.keys() - {method}))


def _overridden(shared: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """The shared settings with those of a run; steps take the place of epochs, and the other way round."""
    replaced = {other for name, other in INSTEAD.items() if own.get(name) is not None and own.get(other) is None}
    values = {**{name: value for name, value in shared.items() if name not in replaced}, **own}
    if unit_of(values) != unit_of(shared) and "checkpoints" not in own:
        values.pop("checkpoints", None)  # they are in the other unit
    return values


def _reached(values: Mapping[str, Any]) -> dict[str, Any]:
    """``checkpoints`` of the shared section, without those after the end of a shorter run."""
    listed = values.get("checkpoints")
    end = values.get(unit_of(values), Pretrain.model_fields["steps"].default)
    if not isinstance(listed, list | tuple) or not isinstance(end, int):
        return {}
    return {"checkpoints": [step for step in listed if not isinstance(step, int) or step <= end]}


def unit_of(settings: Mapping[str, object]) -> str:
    """``epochs`` or ``steps``: in which a section of training settings counts lengths and checkpoints."""
    return "steps" if settings.get("epochs") is None else "epochs"


def seen_by(settings: Pretrain, scaling: Scaling) -> View:
    """How the network of a run sees images in evaluations."""
    if settings.network is not None:
        return settings.network.view
    return view_of(settings.image_size, scaling.resize, scaling.crop)


def summarised(trainings: Mapping[str, Training]) -> list[dict[str, Any]]:
    """The runs as settings of the summary (:class:`SummaryRun`)."""
    return [
        {
            "run": name,
            "method": run.method,
            "pairs": run.pairs,
            "augmentation": run.augmentation,
            "tag": run.tag,
            "seed": settings.seed,
            "steps": training.steps,
            "backbone": settings.shown_backbone,
            "batch_size": settings.batch_size if settings.trains else 0,
            "trained_steps": settings.steps or 0,
            "epochs": settings.epochs,
            "views_per_pair": len(settings.views),
            **cell(training.study, run),
            "chosen": chosen(training),
        }
        for name, training in trainings.items()
        for run, settings in [(training.run, training.settings)]
    ]


def cell(study: Study, run: Run) -> dict[str, Any]:
    """What the settings of the summary say about a run besides its own: arm, role, dose, encoder and alike."""
    if run.method in (UNTRAINED, SUPERVISED, EXTERNAL):
        return _cell(run.method)
    if run.pairs in RESERVED_PAIRS:
        return _cell(run.pairs)
    if METHODS[run.method].by_arm:
        kind = next(arm.kind for arm in study.arms if arm.name == run.pairs)
        return _cell("caption", run.pairs, alike="" if kind in CONTROL_ARMS else run.method)
    table = next(table for table in study.pairs if table.name == run.pairs)
    if table.kind != "nearest":
        return _cell("random in subreddit" if (table.kind, table.scope) == ("random", "subreddit") else table.kind)
    if table.arm is None:
        return _cell("visual")
    arm = next(arm for arm in study.arms if arm.name == table.arm)
    dose = getattr(arm, "share", None) if arm.kind == "mixed" else None
    if arm.kind in CONTROL_ARMS:
        return _cell(arm.kind, arm.name, dose)
    varies = {"name", "arm", "encoder"}
    wanted = table.model_dump(exclude=varies)
    alike = next(other.name for other in study.pairs if other.model_dump(exclude=varies) == wanted)
    return _cell("language", arm.name, encoder=table.encoder, alike=alike)


def _cell(role: str, arm: str = "", dose: float | None = None, encoder: str = "", alike: str = "") -> dict[str, Any]:
    return {"arm": arm, "role": role, "dose": dose, "encoder": encoder, "alike": alike}


def chosen(training: Training) -> dict[str, str]:
    """Evaluated checkpoint of a run -> the set that chose it, where tables report that set too."""
    study, name = training.study, training.study.probe_dataset
    if name is None or not any(dataset.name == name and dataset.evaluate for dataset in study.datasets):
        return {}
    by_probe = ("best", "last") if training.settings.patience is not None else ("best",)
    return {step: name for step in training.steps if step in by_probe}
