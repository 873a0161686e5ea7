"""Loads a study: the config is checked as a whole before anything is planned."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from workflow_scripts.core.errors import PipelineErrors
from workflow_scripts.study.config.checks import contrast_errors, reference_errors
from workflow_scripts.study.config.errors import placed, validation_errors
from workflow_scripts.study.config.files import Config, node_of
from workflow_scripts.study.config.lock import pinned, read_lock
from workflow_scripts.study.config.run_checks import run_errors
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
            settings of a run contradict each other. They are looked for in this order: values, names, runs, contrasts.
    """
    root = config.root
    try:
        study = Study.model_validate(root.data())
    except ValidationError as error:
        raise placed(PipelineErrors([*config.errors, *validation_errors(error, Study, root)]), root) from None
    # What is wrong with runs may follow from names, and what is wrong with contrasts from both.
    mistakes = list(reference_errors(study)) or run_errors(study, root) or list(contrast_errors(study))
    if config.errors or mistakes:
        raise placed(PipelineErrors([*config.errors, *mistakes]), root)
    return study
