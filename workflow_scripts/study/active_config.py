"""The current config and artifacts of a study, for commands that are given only results.

At each start and end of a run, the workflow notes in ``results/.configs/<study>.json`` its config files and overrides,
and which artifacts are finished. The config files are read on demand.
"""

import errno
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from glob import iglob
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, ValidationError

from workflow_scripts.core.artifact import MANIFEST, label_of
from workflow_scripts.core.code_equivalence import accepted
from workflow_scripts.core.digest import PROJECT
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.names import BASE, LOGS, NOTES
from workflow_scripts.core.files.notes import read_note, write_note
from workflow_scripts.core.settings import Settings
from workflow_scripts.study.config.files import read_config

if TYPE_CHECKING:
    from workflow_scripts.study.units import Units

log = logging.getLogger(__name__)
_ADVICE = "run snakemake -n with the config files of that study; it writes the note"


class _Note(Settings):
    """What is noted of a study."""

    configfiles: list[str]
    """Its config files; later ones win."""
    config: dict[str, Any]
    """The values of ``--config``."""
    artifacts: list[Annotated[str, Field(pattern="^[^/]*/[^/]*$")]]
    """``<stage>/<name>`` of those that were finished."""


def base_files() -> list[Path]:
    """The config files below all overlays: the project's, and that of a study with a folder of its own (``init``)."""
    own, theirs = Path(BASE), PROJECT / BASE
    return [theirs, own] if own.is_file() and not own.samefile(theirs) else [theirs]


def remember(
    results: Path,
    study: str,
    files: Sequence[str],
    overrides: Mapping[str, Any],
    holds: Callable[[str, str], bool] = lambda stage, name: True,
) -> None:
    """Note the sources of the study's config and which artifacts are finished, at each start and end of a run.

    An artifact stays noted until it is no longer part of the study, so that an audit notices if it was deleted. A
    results folder that is not writable is left unchanged; any other error is logged.

    Args:
        files: config files, later ones win; paths below the working directory are kept relative to it.
        overrides: the values of ``--config``.
        holds: whether the study has the artifact with this stage and name.
    """
    here = os.getcwd()
    kept = [os.path.relpath(file, here) if Path(file).is_relative_to(here) else file for file in files]
    try:
        before = noted_artifacts(results, study) or frozenset()
    except PipelineError:
        before = frozenset()  # the note is damaged; it is replaced
    finished = {label_of(path) for path in (results / study).glob(f"*/*{MANIFEST}")}
    finished |= {label for label in before if holds(*label.split("/", 1))}
    note = _Note(configfiles=kept, config=dict(overrides), artifacts=sorted(finished))
    path = note_of(results, study)
    try:
        write_note(path, note.model_dump())
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            log.warning("%s: %s; the deletion of an artifact may go unnoticed until the next run", path, error.strerror)


def noted_artifacts(results: Path, study: str) -> frozenset[str] | None:
    """``<stage>/<name>`` of every artifact that was noted as finished; None when nothing is noted.

    Raises:
        PipelineError: the note is damaged.
    """
    noted = _noted(results, study)
    return frozenset(noted.artifacts) if noted else None


def _noted(results: Path, study: str) -> _Note | None:
    path = note_of(results, study)
    noted = read_note(path, _ADVICE)
    try:
        return _Note.model_validate(noted) if noted else None
    except ValidationError:
        value = ", ".join(noted)[:80]
        raise PipelineError("unreadable note of config and artifacts", path, value, _ADVICE) from None


def units_of(results: Path, study: str, files: Sequence[str] = ()) -> "Units | None":
    """The study's units by its current config; None if no config is known for it.

    Args:
        files: config files to use instead of those of the last run.

    Raises:
        PipelineError: a config file or the note of the last run is missing or faulty.
    """
    names, overrides = [*map(str, base_files()), *files], dict[str, Any]()
    if not files:
        if noted := _noted(results, study):
            names, overrides = noted.configfiles, noted.config
        if any(_find(name) is None for name in names):
            return None
    config = read_config([_find(name) or name for name in names], overrides)
    if config.data().get("study") != study:
        return None
    # Imported here, since checking a config takes longer than reading a small study.
    from workflow_scripts.study.config.study import load_study
    from workflow_scripts.study.units import Units

    return Units(load_study(config), accepted(results))


def note_of(results: Path, study: str) -> Path:
    """Path of the note of a study."""
    return results / NOTES / f"{study}.json"


def _find(name: str) -> Path | None:
    return next((path for path in (Path(name), PROJECT / name) if path.is_file()), None)


HIGHEST = 6  # folders between a data file and the results folder


def studies_at(path: Path) -> list[Path]:
    """The studies that a path names, absolute and sorted: those of a results folder, or the one that it is or lies in.

    A study has artifacts, logs or a note of its config.

    Raises:
        PipelineError: there is none.
    """
    path = Path(os.path.abspath(path))
    exists = os.path.lexists(path)
    above = [path, *path.parents][: HIGHEST if exists else 1]
    study = None
    if not (path / NOTES).is_dir():
        # Folders within a study, such as its crate, may look like one.
        noted = (folder for folder in above if note_of(folder.parent, folder.name).is_file())
        study = next(noted, None) or next(filter(_has_results, above), None)
    found = [study] if study is not None else _studies_of(path)
    if not found:
        value = "no artifacts, logs or note of a config" if exists else "no such file or folder"
        advice = "give a results folder, a study such as results/demo, or a path in it"
        raise PipelineError("no study", path, value, advice)
    return found


def _studies_of(results: Path) -> list[Path]:
    noted = {results / note.stem for note in (results / NOTES).glob("[!.]*.json")}
    return sorted(noted | {study for study in results.glob("[!.]*") if _has_results(study)})


def _has_results(study: Path) -> bool:
    # Path.glob raises if another process removes a folder meanwhile, in Python 3.11 and 3.12.
    return any(next(iglob(each, root_dir=study), None) for each in (f"*/*{MANIFEST}", f"{LOGS}/*/*.log"))
