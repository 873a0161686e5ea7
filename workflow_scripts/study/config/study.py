"""Loads a study: the config is checked as a whole, all mistakes together, before anything is planned."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from workflow_scripts.core.errors import PipelineError, PipelineErrors
from workflow_scripts.pretraining.settings import Pretrain
from workflow_scripts.study.config.checks import contrast_errors, reference_errors
from workflow_scripts.study.config.errors import SettingError, misread_booleans, placed, validation_errors
from workflow_scripts.study.config.files import Config, Node, node_of
from workflow_scripts.study.config.lock import pinned, read_lock
from workflow_scripts.study.config.run_checks import misplaced_settings, run_errors, shared_errors
from workflow_scripts.study.config.sections import Study


def load_study(config: Mapping[str, Any] | Config) -> Study:
    """The checked study, with the commits and the sha256 of the config's lock, if there is one.

    Args:
        config: see :func:`checked_study`.

    Raises:
        PipelineErrors: see :func:`checked_study`; the lock is damaged; or a source has another revision or sha256 than
            the lock, is missing from it, or is a URL without a sha256.
    """
    parsed = config if isinstance(config, Config) else Config(node_of(config))
    name = parsed.lock_file.name if parsed.lock_file else ""
    study, errors = pinned(checked_study(parsed), read_lock(parsed.lock_file), name)
    if errors:
        raise placed(PipelineErrors(errors), parsed.root)
    return study


def checked_study(config: Config) -> Study:
    """The checked study, without regard to a lock.

    Args:
        config: what :func:`workflow_scripts.study.config.files.read_config` returns, so that errors name file and line.

    Raises:
        PipelineErrors: keys are mistyped, missing or given twice, values have a wrong type, names refer to nothing, or
            settings of a run contradict each other. All that was found is named.
    """
    root = config.root
    study, refused = _validated(root)
    refused += misread_booleans(root, Study)
    refused += misread_booleans(root.below("pretraining"), Pretrain, ("pretraining",))
    refused += misplaced_settings(root)
    errors: list[PipelineError] = [*config.errors, *refused]
    if study is None:
        errors += shared_errors(root)
    else:
        mistakes = list(reference_errors(study))
        mistakes += run_errors(study, root, {error.path[1] for error in mistakes if error.path[0] == "runs"})
        before_contrasts = ("arms", "pairs", "pretraining", "runs", "evaluation")  # what contrasts follow from
        mistakes += contrast_errors(study, not any(error.path[0] in before_contrasts for error in mistakes))
        # What is wrong in an item of which a value was refused may follow from that.
        refused_items = {error.path[:2] for error in refused}
        errors += [error for error in mistakes if error.path[:2] not in refused_items]
    if errors or study is None:
        raise placed(PipelineErrors(errors), root)
    return study


def _validated(root: Node) -> tuple[Study | None, list[SettingError]]:
    """Validate with pydantic, and again without what it refused, so that more errors are found in one go.

    Returns:
        The study, without refused values, and the errors; None for the study if it is invalid without them.
    """
    data = root.data()
    try:
        return Study.model_validate(data), []
    except ValidationError as error:
        refused = validation_errors(error, Study, root)
    for refusal in refused:
        _remove(data, refusal.path)
    try:
        return Study.model_validate(data), refused
    except ValidationError:
        return None, refused


def _remove(data: Any, path: Sequence[Any]) -> None:
    """Remove the innermost key on ``path`` from config values, in place.

    A refused member takes its whole list with it, as in ``download.placeholder_sha256``; but an axis (a list at the
    top, such as ``runs``) keeps its members, less their refused keys.
    """
    *above, key = next((path[:n] for n in range(len(path), 0, -1) if isinstance(path[n - 1], str)), ("",))
    part = _inside(data, above)
    if isinstance(part, dict) and (above or path == (key,)):
        part.pop(key, None)


def _inside(data: Any, path: Sequence[Any]) -> Any:
    """The value at ``path``; None if an outer part of it was removed before."""
    for step in path:
        try:
            data = data[step]
        except (LookupError, TypeError):
            return None
    return data
