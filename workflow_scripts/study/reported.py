"""Settings of the stages that report on all runs of a study."""

from collections.abc import Mapping, Sequence
from typing import Any

from workflow_scripts.pretraining.settings import Pretrain
from workflow_scripts.study.config.cells import summarised
from workflow_scripts.study.config.kept import first_name
from workflow_scripts.study.config.sections import Run
from workflow_scripts.study.config.study import Study

Runs = Mapping[str, tuple[Run, Pretrain]]


def summary_settings(study: Study, runs: Runs, steps: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Settings of ``summary``: the runs, by name, with the names of their evaluated steps, and what is compared."""
    contrasts = [contrast.model_dump(mode="json") for contrast in study.contrasts]
    wanted = {"contrasts": contrasts, "standard_contrasts": study.standard_contrasts}
    return {"runs": summarised(study, runs, steps), **wanted, "bootstrap": study.bootstrap}


def report_settings(study: Study, runs: Runs, accepted: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """Settings of ``report``; ``accepted`` is the code that counts as earlier code."""
    captions_of = {pairs.name: pairs.arm for pairs in study.pairs if pairs.arm and pairs.arm != pairs.name}
    headline = first_name(study.evaluation.steps, [settings for _, settings in runs.values()])
    levels = {name: section.level for name, section in study.evaluation if hasattr(section, "level")}
    named = {"study": study.study, "captions_of": captions_of, "headline_step": headline, "levels": levels}
    return {**study.report.model_dump(mode="json"), **named, "accepted": [dict(one) for one in accepted]}
