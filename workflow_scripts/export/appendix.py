"""Appendix of a paper: settings beside their defaults, runs, computing time, and licences."""

from typing import Any

from humanize import naturalsize

from workflow_scripts.evaluation.datasets.registry import SETS
from workflow_scripts.export.finished import Finished, Work
from workflow_scripts.pretraining.settings import METHODS, Pretrain, Probe
from workflow_scripts.provenance.run_metadata import flat
from workflow_scripts.reporting.methods import OURS, Paragraph, cite, listing, runs_table, settings_table, shown
from workflow_scripts.reporting.references import cited_for, references
from workflow_scripts.reporting.settings import Methods
from workflow_scripts.reporting.tables import Table
from workflow_scripts.stages.recaption import Recaption
from workflow_scripts.study.config.sections import Evaluation
from workflow_scripts.study.methods import TOLD

NOT_KNOWN, OF_OURS = "not known here: see its page", "MIT, as the workflow"
CAPTIONS = "captions-"  # prefix of sources of captions
FEW_HOURS = 10  # CPU hours of a study, below which they are told in minutes
THEIRS = "files at hand", "the authors must state it"
REDCAPS_LICENCE = "annotations: CC BY 4.0, Reddit's API terms, non-commercial research only; images: their authors'"


def computing(study: Finished) -> Paragraph:
    """Software, hardware and hours, which vary by machine and are therefore not on the page."""
    versions = listing(f"{name} {' and '.join(found)}" for name, found in study.versions.items())
    machines = "; ".join(f"{kind} {' and '.join(found)}" for kind, found in study.machines.items() if found)
    first, last = study.days
    span = f"on {first}" if first == last else f"from {first} to {last}"
    sentences = [
        f"The study is a Snakemake workflow{cite('workflow')} with networks in PyTorch{cite('torch')}"
        + (f"; versions are {versions}." if versions else "."),
        f"Machines: {machines}." if machines else "",
        f"The artifacts took {took(study)}" + (f", {span}." if first else "."),
        f"Root hash of the study, its first 16 of 64 digits: {study.root[:16]}.",
    ]
    return Paragraph("Software and hardware", " ".join(filter(None, sentences)))


def defaults(methods: Methods) -> dict[str, Any]:
    """``pretraining.lr`` -> default, of all settings in the table; of trainings, those of their methods."""
    found = {f"recaption.{name}": value for name, value in flat(Recaption().model_dump(mode="json")).items()}
    evaluation = flat(Evaluation().model_dump(mode="json"))
    found |= {f"evaluation.{name}": value for name, value in evaluation.items()}
    for name in dict.fromkeys(run.method for run in methods.runs):
        method = METHODS.get(name)
        if method is not None:
            usual = Pretrain(method=name, pairs=method.pairs[0], augmentation=method.augmentations[0])
            own = flat({"probe": Probe().model_dump(mode="json")}) | flat(usual.model_dump(mode="json"))
            own |= {setting: getattr(usual, setting) for setting in TOLD}
            found |= {f"pretraining.{setting}": value for setting, value in own.items()}
    return found


def hyperparameters(methods: Methods) -> Table:
    """All settings that runs share, beside the defaults; bold where they differ."""
    usual = defaults(methods)
    rows = []
    for section, name, value in settings_table(methods):
        setting = f"{section}.{name}"
        rows.append((setting, value, shown(usual[setting]) if setting in usual else "–"))
    differ = {(at, 1) for at, (_, value, default) in enumerate(rows) if value != default and default != "–"}
    heads = ("setting", "value", "default")
    note = "The learning rate lr is per 512 pairs. Defaults are those before config.yaml."
    return Table("hyperparameters", "Settings; bold: not the default", heads, rows, differ, note)


def runs(methods: Methods) -> Table:
    """The trained runs, with their seeds and what only they have."""
    title = "Trained runs and the settings that differ between them"
    heads = ("method / pairs / augmentation", "seeds", "settings")
    return Table("trainings", title, heads, runs_table(methods), left=True)


def hours(study: Finished) -> Table:
    """What each stage took, and all together."""
    unit, per_hour = _unit(study)
    work = study.work
    jobs, memory = sum(done.jobs for done in work.values()), max((done.memory for done in work.values()), default=0)
    rows = [
        (
            stage.replace("_", " "),
            f"{done.jobs:,}",
            f"{per_hour * done.core_hours:,.2f}",
            f"{per_hour * done.gpu_hours:,.2f}",
            naturalsize(done.memory) if done.memory else "–",
        )
        for stage, done in {**work, "all": Work(jobs, *study.hours, memory)}.items()
    ]
    heads = ("stage", "jobs", f"CPU {unit}s", f"GPU {unit}s", "memory")
    return Table("computing", "Computing by stage", heads, rows, note=f"CPU {unit}s of one core; memory of a job.")


def _unit(study: Finished) -> tuple[str, int]:
    """In which unit times are told, and how many make an hour."""
    return ("minute", 60) if study.hours[0] < FEW_HOURS else ("hour", 1)


def took(study: Finished) -> str:
    """``15.6 CPU minutes and 2.0 GPU minutes``."""
    unit, per_hour = _unit(study)
    core, gpu = (per_hour * time for time in study.hours)
    return f"{core:,.1f} CPU {unit}s" + (f" and {gpu:,.1f} GPU {unit}s" if gpu else "")


def licences(methods: Methods) -> bytes:
    """``licences.md``: data, models and test sets, as far as their licences are known."""
    rows = [("workflow", "Faithful Pairs", "MIT"), ("training images and texts", *_data_licence(methods))]
    for role, at in methods.models.items():
        place = at.partition(":")[2].partition("@")[0]
        stated = (references()[key].fields.get("licence") for key in cited_for(f"model:{place}"))
        unknown = OF_OURS if place.startswith(OURS) else NOT_KNOWN if at else THEIRS[1]
        named = f"captions: {role.removeprefix(CAPTIONS)}" if role.startswith(CAPTIONS) else f"model: {role}"
        rows.append((named, at or THEIRS[0], next(filter(None, stated), unknown)))
    for name, known in methods.datasets.items():
        row = SETS.get(known)
        where = (row.homepage, row.licence) if row is not None else _data_licence(methods, ours=True)
        rows.append((f"test set: {name}", *where))
    title = (
        "What the study uses, and under which licence: as the works' pages stated it when this version of the workflow "
        "was written. Check it before you publish."
    )
    return Table("licences", title, ("what", "source", "licence"), rows, left=True).files()["md"]


def _data_licence(methods: Methods, ours: bool = False) -> tuple[str, str]:
    """Source and licence of images that are in no registry; ``ours``: of a test set, never RedCaps."""
    if methods.synthetic:
        return "the demo's generator", OF_OURS
    if methods.redcaps and not ours:
        return "RedCaps", REDCAPS_LICENCE
    return THEIRS
