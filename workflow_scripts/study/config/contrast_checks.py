"""Checks of contrasts and orderings: all need runs, and the terms of a contrast something in common to give a row."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from workflow_scripts.evaluation.contrasts.comparisons import comparisons, groups
from workflow_scripts.evaluation.contrasts.settings import Contrast, SummaryRun
from workflow_scripts.study.config.cells import summarised
from workflow_scripts.study.config.errors import SettingError, known
from workflow_scripts.study.config.kept import evaluated
from workflow_scripts.study.config.run_settings import trainings

if TYPE_CHECKING:
    from workflow_scripts.study.config.study import Study


def contrast_errors(study: "Study", sound: bool) -> Iterator[SettingError]:
    """Yield errors of contrasts, and of the known orderings of networks.

    Args:
        sound: whether arms, pairs and runs, with their settings and steps, have no errors; if they have, only the
            names of pairs are checked.
    """
    stated = study.evaluation.discrimination.stated
    runs = _runs(study) if sound and (study.contrasts or stated) else []
    for number, name in [(number, name) for number, pair in enumerate(stated) for name in pair if sound]:
        where = ("evaluation", "discrimination", "orderings", number)
        yield from known(where, "backbone or network of a run", name, {run.backbone for run in runs})
    for number, contrast in enumerate(study.contrasts):
        errors = list(_side_errors(number, contrast, {run.pairs for run in study.runs}))
        if sound:
            errors += _term_errors(number, contrast, runs)
        yield from errors
        if sound and not errors and not any(comparisons([contrast], runs)):
            yield _no_row(number, contrast, runs)


def _runs(study: "Study") -> list[SummaryRun]:
    """The runs as the summary has them."""
    runs = trainings(study)
    steps = evaluated(study.evaluation.steps, {name: settings for name, (_, settings) in runs.items()})
    return [SummaryRun.model_validate(one) for one in summarised(study, runs, steps)]


def _no_row(number: int, contrast: Contrast, runs: Sequence[SummaryRun]) -> SettingError:
    """Why a contrast whose terms all have runs compares none."""
    if any(groups(contrast, runs)):
        value, advice = "no step that all of its runs have", "add a step that they all keep to evaluation.steps"
        return SettingError("contrast without an evaluated step", ("contrasts", number), value, advice)
    value, advice = f"no value of {', '.join(contrast.per)} or tag for which all terms have runs", "add runs"
    if not contrast.terms:
        axes = ", ".join(contrast.per)
        value = f"{contrast.minuend} and {contrast.subtrahend} have no {axes} and tag in common"
        advice = f"add runs with both that have the same {axes} and tag"
    return SettingError("contrast without runs", ("contrasts", number), value, advice)


def _side_errors(number: int, contrast: Contrast, pairs: set[str]) -> Iterator[SettingError]:
    """Errors of the short form's sides that are the pairs of no run."""
    for side in () if contrast.terms else ("minuend", "subtrahend"):
        yield from known(("contrasts", number, side), "run's pairs", getattr(contrast, side), pairs)


def _term_errors(number: int, contrast: Contrast, runs: Sequence[SummaryRun]) -> Iterator[SettingError]:
    """Errors of terms that match no run, or whose step none of their runs has."""
    for at, term in enumerate(contrast.terms):
        steps = dict.fromkeys(step for run in runs if term.matches(run) for step in run.steps)
        if not any(term.matches(run) for run in runs):
            found = [axis for axis in ("method", "pairs", "augmentation", "tag", "arm") if term.fixes(axis)]
            value = ", ".join(f"{axis} {getattr(term, axis) or '(none)'}" for axis in found)
            where, advice = ("contrasts", number, "terms", at), "no run has all of these; correct them or add runs"
            yield SettingError("term without runs", where, value, advice)
        elif term.step is not None:
            yield from known(("contrasts", number, "terms", at, "step"), "evaluated step", term.step, steps)
