"""Checks of runs: their settings, sweeps, evaluated checkpoints, and the encoders and sets that they use."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from workflow_scripts.core.errors import PipelineErrors
from workflow_scripts.demo.world.settings import LABELS
from workflow_scripts.pretraining.method import LabelSettings, SeveralPartners
from workflow_scripts.pretraining.settings import METHODS, Pretrain
from workflow_scripts.stages.select_captions import ARM_KINDS
from workflow_scripts.study.config.errors import CONTRADICTION, SettingError, known, one_of
from workflow_scripts.study.config.files import Node
from workflow_scripts.study.config.runs import (
    COMPARED,
    OF_A_RUN,
    Training,
    compared,
    items,
    settings_of,
    training,
    unit_of,
)
from workflow_scripts.study.config.sections import Run, Study

# Bytes of a file name that runs and datasets share: what step, suffix and a temporary ending leave of 255.
ROOM = 185
MOST_POINTS = 1_000


def run_errors(study: Study, root: Node) -> list[SettingError]:
    """Errors in the settings of runs, including runs of the same name."""
    given, advice = study.pretraining, "give it to each item of runs"
    misplaced = [("pretraining", key) for key in OF_A_RUN if key in given]
    errors = [SettingError("misplaced setting", path, given[path[-1]], advice) for path in misplaced]
    runs: dict[str, Training] = {}
    for number, run in enumerate(study.runs):
        unfit = list(_own_settings(run, number))
        errors += unfit
        for item in items(run, number) if not unfit else ():
            try:
                seeds = [training(study, item, seed, root) for seed in run.seeds]
            except PipelineErrors as error:
                errors += [one for one in error.errors if isinstance(one, SettingError)]
                continue
            for own in seeds:
                errors += [*_too_long(own), *_head_errors(own), *_encoder_errors(own), *_weight_errors(own)]
                if own.name in runs:
                    value = f"{own.name}, as in runs.{runs[own.name].item.number}"
                    advice = "runs must differ in method, pairs, augmentation, backbone, tag or seed"
                    errors.append(SettingError("repeated run", ("runs", number), value, advice))
                runs.setdefault(own.name, own)
    if not errors:
        settings = {name: own.settings for name, own in runs.items()}
        errors += kept_errors(study.evaluation.steps, study.pretraining, settings)
        errors += [*_selection_errors(study, settings), *_encoder_run_errors(study, runs)]
    unique: dict[Any, SettingError] = {}
    for found in errors:
        # A contradiction within the shared settings is reported once.
        unique.setdefault(found.value if found.what == CONTRADICTION else (found.path, found.what, found.value), found)
    return list(unique.values())


def _own_settings(run: Run, number: int) -> Iterator[SettingError]:
    """Yield an error for each setting of ``set`` and ``sweep`` that is unknown, idle or in both, and a large sweep."""
    allowed = settings_of(run.method)
    for section in ("set", "sweep"):
        for key, value in (getattr(run, section) or {}).items():
            path = ("runs", number, section, key)
            if key not in Pretrain.model_fields:
                yield SettingError("unknown key", path, repr(key), one_of(key, allowed))
            elif key not in allowed:
                advice = f"remove it; runs of method {run.method} depend on {', '.join(sorted(allowed))}"
                yield SettingError("setting without effect", path, str(value), advice)
            elif section == "sweep" and key in run.set:
                yield SettingError("setting in both set and sweep", path, key, "remove it from one of them")
    points = math.prod(map(len, (run.sweep or {}).values()))
    if points > MOST_POINTS:
        advice = f"at most {MOST_POINTS} are possible; split it"
        yield SettingError("sweep too large", ("runs", number, "sweep"), f"{points} points", advice)


def _too_long(training: Training) -> Iterator[SettingError]:
    """Yield an error if a run's evaluations would have names that are too long for a file."""
    over = len(training.name) + max((len(dataset.name) for dataset in training.study.datasets), default=0) - ROOM
    if over > 0:
        advice = f"shorten the tag, or the names of pairs or datasets, by {over} characters"
        yield SettingError("run's name too long for file names", ("runs", training.item.number), training.name, advice)


def _head_errors(training: Training) -> Iterator[SettingError]:
    """Errors of a method's own settings: a label that images lack, and more partners than the pair table has."""
    head, method, pairs = training.settings.head, training.settings.method, training.run.pairs
    section = training.item.places.get(method, ("pretraining", method))
    if isinstance(head, LabelSettings):
        yield from known((*section, "label"), "label", head.label, LABELS)
    most = next((table.k for table in training.study.pairs if table.name == pairs), None)
    if isinstance(head, SeveralPartners) and most is not None and head.partners > most:
        advice = f"lower it, or raise k of {pairs}, which is {most}"
        yield SettingError("more partners than the pair table has", (*section, "partners"), head.partners, advice)


def kept_errors(
    wanted: Sequence[int | str], shared: Mapping[str, object], runs: Mapping[str, Pretrain]
) -> Iterator[SettingError]:
    """Yield errors for wanted steps that no run keeps or that a run may not reach, and for listed steps after all ends.

    Args:
        wanted: ``evaluation.steps``.
        shared: the section ``pretraining``.
    """
    trained = {name: run for name, run in runs.items() if run.trains}
    for number, step in enumerate(wanted if trained else ()):
        yield from _step_errors(("evaluation", "steps", number), step, trained)
    unit, listed = unit_of(shared), shared.get("checkpoints")
    longest = max((run.length for run in trained.values() if bool(run.epochs) == (unit == "epochs")), default=0)
    for number, step in enumerate(listed if isinstance(listed, list) and longest else ()):
        if isinstance(step, int) and step > longest:
            path = ("pretraining", "checkpoints", number)
            advice = f"the longest run has {longest} {unit}; correct or remove it"
            yield SettingError("checkpoint after the end of training", path, step, advice)


def _step_errors(
    path: tuple[str, str, int], step: int | str, trained: Mapping[str, Pretrain]
) -> Iterator[SettingError]:
    keepers = {name: run for name, run in trained.items() if step in run.kept}
    if not keepers:
        kept = {one for run in trained.values() for one in run.kept}
        shown = ", ".join(map(str, sorted(kept, key=lambda one: (isinstance(one, str), one))))
        more = "give the runs a probe (pretraining.probe)" if step == "best" else "add it to pretraining.checkpoints"
        advice = f"choose from {shown}, or {more}, which retrains every run"
        yield SettingError("no run keeps this checkpoint", path, step, advice)
    for name, run in keepers.items():
        if isinstance(step, int) and step > run.sure_length:
            reached = f"steps up to {run.sure_length}, " if run.sure_length else ""
            advice = f"use {reached}last or best, or set patience to null"
            yield SettingError("checkpoint may not be reached", path, step, f"{name} may stop earlier: {advice}")
            return


def _selection_errors(study: Study, runs: Mapping[str, Pretrain]) -> Iterator[SettingError]:
    """Yield errors for checkpoints that no probe set could choose."""
    if study.probe_dataset is None:
        patient = [f"run {name} has patience" for name, run in runs.items() if run.patience is not None]
        best = ["evaluation.steps has best"] if "best" in study.evaluation.steps else []
        for reason in [*best, *patient][:1]:
            advice = "name one of datasets, whose validation images then choose; ideally one with evaluate: false"
            yield SettingError("selection without a probe set", ("probe_dataset",), f"null, but {reason}", advice)


def _encoder_errors(training: Training) -> Iterator[SettingError]:
    """Yield an error if a run's text encoder is unclear, unknown or unused."""
    study, run, settings = training.study, training.run, training.settings
    where, names = ("runs", training.item.number, "encoder"), [encoder.name for encoder in study.text_encoders]
    by_captions = settings.pair_weight == "agreement" and settings.pairs == "caption"
    if "vectors" not in settings.inputs and not by_captions:
        if run.encoder is not None:
            advice = "remove it; this run reads no vectors, or those of its pair table's encoder"
            yield SettingError("unused encoder", where, run.encoder, advice)
    elif run.encoder is not None:
        yield from known(where, "text encoder", run.encoder, names)
    elif len(names) != 1:
        advice = f"name one of text_encoders: {', '.join(names) or 'none yet'}"
        yield SettingError("missing encoder", where, "null", advice)


def _weight_errors(training: Training) -> Iterator[SettingError]:
    """An error of a run whose weights need arms that the study lacks, or scores that its arm lacks."""
    study, run, settings = training.study, training.run, training.settings
    where, weight = ("runs", training.item.number), f"pair_weight {settings.pair_weight} of {run.method}"
    if settings.pair_weight == "agreement" and len(compared(study)) < len(COMPARED):
        advice = f"add one arm of each kind {' and '.join(COMPARED)}"
        yield SettingError("no captions to compare", where, weight, advice)
    kind = next((arm.kind for arm in study.arms if arm.name == training.arm), None)
    if settings.pair_weight != "itm" or kind is None or (ARM_KINDS[kind].scored and study.recaption is not None):
        return
    fitting = ", ".join(name for name, arm_kind in ARM_KINDS.items() if arm_kind.scored)
    value = f"{weight}, but {'recaption is null' if ARM_KINDS[kind].scored else f'its arm is of kind {kind}'}"
    advice = f"set pair_weight to none for this run; arms of these kinds have scores, with recaption: {fitting}"
    yield SettingError("captions without scores", where, value, advice)


def _encoder_run_errors(study: Study, runs: Mapping[str, Training]) -> Iterator[SettingError]:
    """Yield an error for each encoder whose run does not exist, lacks what it needs, or needs the encoder itself.

    Args:
        runs: of the study, by name.
    """
    for section, number, encoder in study.encoders():
        if encoder.run is None:
            continue
        where = (section, number, "run")
        if encoder.run not in runs:
            yield from known(where, "run", encoder.run, runs)
        elif encoder.run in _needed(study, runs, encoder.run):
            advice = "name a run whose pairs do not depend on this encoder"
            advice += "; with common_images, every run depends on all pair tables" if study.common_images else ""
            yield SettingError("run whose pairs come from itself", where, encoder.run, advice)
        elif section == "text_encoders":
            method = METHODS[runs[encoder.run].run.method]
            if "tokens" not in method.learns:
                fitting = ", ".join(name for name, one in METHODS.items() if "tokens" in one.learns)
                advice = f"name a run of one of these methods: {fitting}"
                yield SettingError("run without text tower", where, f"{encoder.run}, of method {method.name}", advice)


def _needed(study: Study, runs: Mapping[str, Training], run: str) -> set[str]:
    """The runs that must be finished before ``run``: those whose networks embed what its pairs are made from."""
    network = {encoder.name: encoder.run for _, _, encoder in study.encoders() if encoder.run in runs}
    tables = {table.name: table.encoder for table in study.pairs}
    found: set[str] = set()
    waiting = [runs[run]]
    while waiting:
        training = waiting.pop()
        paired = runs.values() if study.common_images and training.settings.trains else [training]
        encoders = {tables[one.run.pairs] for one in paired if "pairs" in one.settings.inputs}
        embeddings = (one for one in (*training.vectors, *training.faithfulness) if one.startswith("embed_"))
        encoders |= {one.rpartition(".")[2] for one in embeddings}
        new = {network[encoder] for encoder in encoders if encoder in network} - found
        found |= new
        waiting += [runs[name] for name in new]
    return found
