"""The full settings of each run, from the shared section and its own settings, and their checks."""

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from workflow_scripts.core.errors import PipelineErrors
from workflow_scripts.demo.world.settings import LABELS
from workflow_scripts.models.networks.view import Scaling, View, view_of
from workflow_scripts.pretraining.method import PAIR_INPUTS, LabelSettings, SeveralPartners
from workflow_scripts.pretraining.settings import BY_CAPTION, HEADS, INSTEAD, METHODS, Pretrain
from workflow_scripts.study.config.checks import RESERVED_PAIRS
from workflow_scripts.study.config.embedded import embedding_errors
from workflow_scripts.study.config.encoders.checks import encoder_run_errors
from workflow_scripts.study.config.errors import (
    CONTRADICTION,
    Path,
    SettingError,
    known,
    misread_booleans,
    validation_errors,
)
from workflow_scripts.study.config.files import Node, node_of
from workflow_scripts.study.config.kept import kept_errors, unit_of
from workflow_scripts.study.config.selection import selection_errors
from workflow_scripts.study.config.sweep import Item, items, sweep_errors

if TYPE_CHECKING:
    from workflow_scripts.study.config.sections import Run
    from workflow_scripts.study.config.study import Study

OF_A_RUN = ("method", "pairs", "augmentation", "seed", "network")  # settings that only the items of `runs` have
# Bytes of a file name that runs and datasets share: what step, suffix and a temporary ending leave of 255.
ROOM = 185
UNTRAINED = frozenset({"backbone", "image_size"})  # settings that an untrained network depends on, besides its seed


def shared_errors(root: Node) -> list[SettingError]:
    """Errors in the section ``pretraining`` by itself, for when the runs can't be read."""
    given = root.below("pretraining").data()
    if not isinstance(given, dict):
        return []
    any_method = next(method for method in METHODS.values() if method.objective is not None)
    fixed = {"method": any_method.name, "pairs": any_method.pairs[0], "augmentation": any_method.augmentations[0]}
    try:
        Pretrain.model_validate({**given, **fixed})
    except ValidationError as error:
        found = validation_errors(error, Pretrain, root, lambda loc: ("pretraining", *loc))
        return [one for one in found if len(one.path) > 1]  # without contradictions, which depend on the run
    return []


def misplaced_settings(root: Node) -> Iterator[SettingError]:
    """Yield an error for each setting that belongs to the items of ``runs`` and would have no effect elsewhere."""
    runs = root.below("runs").items
    places: list[Path] = [("pretraining",)]
    for number in range(len(runs)) if isinstance(runs, list) else ():
        places += [("runs", number, "set"), ("runs", number, "sweep")]
        points = root.below("runs", number, "sweep").items
        places += [("runs", number, "sweep", i) for i in range(len(points))] if isinstance(points, list) else []
    for path in places:
        given = root.below(*path).items
        for key in OF_A_RUN:
            if isinstance(given, dict) and key in given:
                advice = f"remove it; each item of runs has its own {'seeds' if key == 'seed' else key}"
                yield SettingError("misplaced setting", (*path, key), given[key].data(), advice)


def run_errors(study: "Study", root: Node, left_out: Collection[int] = ()) -> list[SettingError]:
    """Errors in the settings of runs, including runs of the same name.

    Args:
        left_out: numbers of runs to skip, since their pairs are unknown.
    """
    errors: list[SettingError] = []
    names: dict[str, int] = {}
    made: dict[str, tuple[Run, Pretrain]] = {}
    for number, run in enumerate(study.runs):
        if number in left_out:
            continue
        path = ("runs", number, "set")
        unfit = [
            *misread_booleans(root.below(*path), Pretrain, path),
            *_idle_settings(run, path),
            *sweep_errors(run, number, settings_of(run.method), root),
        ]
        errors += unfit
        for item in items(run, number) if not unfit else ():
            try:
                settings = [pretrain_settings(study, item, seed, root) for seed in run.seeds]
            except PipelineErrors as error:
                errors += [one for one in error.errors if isinstance(one, SettingError)]
                continue
            for own in settings:
                name = run_name(item.run, own)
                made[name] = item.run, own
                errors += [*_too_long(name, study, number), *_unknown_label(own, item), *_idle_blur(own, item)]
                errors += [*embedding_errors(study, item.run, number, own), *_missing_partners(study, own, item)]
                if names.setdefault(name, number) != number or run.seeds.count(own.seed) > 1:
                    value = f"{name}, as in runs.{names[name]}"
                    advice = "runs must differ in method, pairs, augmentation, backbone, tag or seed"
                    errors.append(SettingError("repeated run", ("runs", number), value, advice))
    if not errors and not left_out:
        found = {name: own for name, (_, own) in made.items()}
        errors += [*kept_errors(study.evaluation.steps, study.pretraining, found), *selection_errors(study, found)]
        errors += encoder_run_errors(study, made)
    for method in HEADS.keys() - {run.method for run in study.runs}:
        errors += _head_errors(method, study, root)
    first: dict[Any, SettingError] = {}
    for one in errors:
        # A contradiction within the shared settings is reported once.
        first.setdefault(one.value if one.what == CONTRADICTION else (one.path, one.what, one.value), one)
    return list(first.values())


def run_name(run: "Run", settings: Pretrain) -> str:
    """Name of a run, which is part of file names."""
    parts = (run.method, run.pairs, run.augmentation, settings.shown_backbone, run.tag, f"s{settings.seed}")
    return "-".join(filter(None, parts))


def _too_long(name: str, study: "Study", number: int) -> list[SettingError]:
    """Error of a run whose evaluations would have names that are too long for a file."""
    over = len(name) + max((len(dataset.name) for dataset in study.datasets), default=0) - ROOM
    if over <= 0:
        return []
    advice = f"shorten the tag, or the names of pairs or datasets, by {over} characters"
    return [SettingError("run's name too long for file names", ("runs", number), name, advice)]


def _unknown_label(settings: Pretrain, item: Item) -> Iterator[SettingError]:
    """Yield an error if a run learns from a label that images do not have."""
    if isinstance(settings.head, LabelSettings):
        section = item.places.get(settings.method, ("pretraining", settings.method))
        yield from known((*section, "label"), "label", settings.head.label, LABELS)


def _idle_settings(run: "Run", path: Path) -> Iterator[SettingError]:
    """Yield an error for each of a run's own settings that its method ignores; a shared one is for the other runs."""
    allowed = settings_of(run.method)
    for key in sorted(run.set.keys() & Pretrain.model_fields.keys() - allowed - set(OF_A_RUN)):
        advice = f"remove it; runs of method {run.method} depend on {', '.join(sorted(allowed))}"
        yield SettingError("setting without effect", (*path, key), str(run.set[key]), advice)


def _missing_partners(study: "Study", settings: Pretrain, item: Item) -> Iterator[SettingError]:
    """Yield an error if a run takes more partners of an image than its pair table has."""
    wanted = settings.head.partners if isinstance(settings.head, SeveralPartners) else 1
    most = next((table.k for table in study.pairs if table.name == item.run.pairs), wanted)
    if wanted > most:
        section = item.places.get(settings.method, ("pretraining", settings.method))
        advice = f"lower it, or raise k of {item.run.pairs}, which is {most}"
        yield SettingError("more partners than the pair table has", (*section, "partners"), wanted, advice)


def _idle_blur(settings: Pretrain, item: Item) -> Iterator[SettingError]:
    """Yield an error if a run without blur sets its kernel itself; a shared one is for the other runs."""
    if item.run.set.get("blur_kernel") and not settings.blurs:
        advice = f"remove it; augmentation {item.run.augmentation} has no blur"
        yield SettingError("setting without effect", item.places["blur_kernel"], settings.blur_kernel, advice)


def _head_errors(method: str, study: "Study", root: Node) -> list[SettingError]:
    """Errors in the settings of methods that no run uses."""
    given, head = study.pretraining.get(method), HEADS[method]
    try:
        head.model_validate({} if given is None else given)
    except ValidationError as error:
        return validation_errors(error, head, root, lambda loc: ("pretraining", method, *loc))
    return []


def settings_of(method: str) -> frozenset[str]:
    """Settings in ``pretraining`` and ``set`` that runs of a method depend on; an untrained one has few."""
    if METHODS[method].external:
        return frozenset()
    if METHODS[method].objective is None:
        return UNTRAINED
    return frozenset(Pretrain.model_fields.keys() - set(OF_A_RUN) - (HEADS.keys() - {method}))


def run_items(study: "Study") -> Iterator[Item]:
    """The items of ``runs``, sweeps expanded."""
    for number, run in enumerate(study.runs):
        yield from items(run, number)


def trainings(study: "Study") -> dict[str, tuple["Run", Pretrain]]:
    """Name of each run, sweeps and seeds expanded -> its item, and its full settings.

    Raises:
        PipelineErrors: settings contradict each other.
    """
    found = {}
    for item in run_items(study):
        for seed in item.run.seeds:
            settings = pretrain_settings(study, item, seed)
            found[run_name(item.run, settings)] = (item.run, settings)
    return found


def pretrain_settings(study: "Study", item: Item, seed: int, root: Node | None = None) -> Pretrain:
    """The full settings of one run.

    Args:
        item: the run, expanded.
        root: the config, for the file and line in errors.

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
        return Pretrain.model_validate({**values, **fixed})
    except ValidationError as error:

        def place(loc: tuple[Any, ...]) -> tuple[Any, ...]:
            if loc and loc[0] in item.places:
                return (*item.places[loc[0]], *loc[1:])
            return ("pretraining", *loc) if loc and loc[0] in study.pretraining else ("runs", item.number)

        root = node_of(study.model_dump(mode="json")) if root is None else root
        raise PipelineErrors(validation_errors(error, Pretrain, root, place)) from None


def _network(study: "Study", run: "Run") -> dict[str, Any]:
    """Settings of a run whose network comes from elsewhere; empty if it doesn't."""
    if run.network is None:
        return {}
    network = next(one for one in study.networks if one.name == run.network)
    return {"network": network.model_dump(exclude={"source"}), "image_size": network.view.size}


def seen_by(settings: Pretrain, scaling: Scaling) -> View:
    """How the network of a run sees images in evaluations."""
    if settings.network is not None:
        return settings.network.view
    return view_of(settings.image_size, scaling.resize, scaling.crop)


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
