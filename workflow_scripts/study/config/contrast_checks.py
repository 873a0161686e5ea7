"""Checks of contrasts: every term needs runs, and terms need something in common."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from workflow_scripts.evaluation.contrasts.comparisons import groups
from workflow_scripts.evaluation.contrasts.settings import Contrast, SummaryRun
from workflow_scripts.pretraining.schedule import step_name
from workflow_scripts.study.config.cells import cell
from workflow_scripts.study.config.checks import known
from workflow_scripts.study.config.errors import SettingError
from workflow_scripts.study.config.kept import unit_of
from workflow_scripts.study.config.run_settings import run_items

if TYPE_CHECKING:
    from workflow_scripts.study.config.sections import Run
    from workflow_scripts.study.config.study import Study


def contrast_errors(study: "Study", sound: bool) -> Iterator[SettingError]:
    """Yield errors of contrasts.

    Args:
        sound: whether arms, pairs and runs have no errors; if they have, only the names of pairs are checked.
    """
    runs = [_as_summarised(study, item.run) for item in run_items(study)] if sound else []
    lengths = [study.pretraining, *(item.run.set for item in run_items(study))] if sound else []
    units = {False, *(unit_of(one) == "epochs" for one in lengths)}
    steps = [step_name(step, epochs) for step in study.evaluation.steps for epochs in sorted(units)]
    for number, contrast in enumerate(study.contrasts):
        errors = list(_side_errors(number, contrast, {run.pairs for run in study.runs}))
        if sound:
            errors += _term_errors(number, contrast, runs, steps)
        yield from errors
        if sound and not errors and not any(groups(contrast, runs)):
            value, advice = f"no value of {', '.join(contrast.per)} or tag for which all terms have runs", "add runs"
            if not contrast.terms:
                value = f"{contrast.minuend} and {contrast.subtrahend} have no method in common"
                advice = "add runs of the same method with both"
            yield SettingError("contrast without runs", ("contrasts", number), value, advice)


def _as_summarised(study: "Study", run: "Run") -> SummaryRun:
    """A run as contrasts see it, as far as that follows from names."""
    own = {"method": run.method, "pairs": run.pairs, "augmentation": run.augmentation, "tag": run.tag}
    return SummaryRun(run="", seed=0, steps=(), **own, **cell(study, run))


def _side_errors(number: int, contrast: Contrast, pairs: set[str]) -> Iterator[SettingError]:
    """Errors of the short form's sides that are the pairs of no run."""
    for side in () if contrast.terms else ("minuend", "subtrahend"):
        yield from known(("contrasts", number, side), "run's pairs", getattr(contrast, side), pairs)


def _term_errors(
    number: int, contrast: Contrast, runs: Sequence[SummaryRun], steps: Sequence[str]
) -> Iterator[SettingError]:
    """Errors of terms that match no run, or whose step is not evaluated (``last`` is, of untrained networks)."""
    for at, term in enumerate(contrast.terms):
        if not any(term.matches(run) for run in runs):
            found = [axis for axis in ("method", "pairs", "augmentation", "tag", "arm") if term.fixes(axis)]
            value = ", ".join(f"{axis} {getattr(term, axis) or '(none)'}" for axis in found)
            where, advice = ("contrasts", number, "terms", at), "no run has all of these; correct them or add runs"
            yield SettingError("term without runs", where, value, advice)
        if term.step is not None:
            yield from known(("contrasts", number, "terms", at, "step"), "evaluated step", term.step, {*steps, "last"})
