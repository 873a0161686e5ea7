"""Set-up before Snakemake reads the rules: our loader reads the config files, and Ctrl-C ends with one line.

``profiles/default`` calls :func:`prepare` while Snakemake parses its options, since the config files are read before
any Snakefile runs. Without it (``--workflow-profile none``) mistakes end in Snakemake's own messages.
"""

import getpass
import logging
import os
import sys
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from queue import Queue
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn

from workflow_scripts.core.artifact import MANIFEST, RUN, command_for
from workflow_scripts.core.errors import PipelineError, PipelineErrors, error_lines
from workflow_scripts.core.files.names import BASE
from workflow_scripts.core.runtime.process import check_assertions
from workflow_scripts.core.study_lock import hold_study, still_ours
from workflow_scripts.study.config.files import read_file
from workflow_scripts.study.config.stages import declaration, stage_names
from workflow_scripts.study.terminal.failures import INTERRUPTED
from workflow_scripts.study.terminal.handler import register

if TYPE_CHECKING:
    from workflow_scripts.study.units import Units

SNAKEMAKE = Path(".snakemake")
CACHE_OPTION = "--runtime-source-cache-path"  # of Snakemake, for another folder than its default
LOGGER = "snakemake.logging"  # its handlers pass records to our display
CONFIG_LOADER = "load_configfile"
CONFIG_MODULES = ("snakemake.settings.types", "snakemake.common.configfile")  # modules that import it by that name
SHOWN = 5  # names of artifacts in a message
ADVICE = "request another stage, or add to the config what needs it"
_held: list[object] = []  # locks end with this process


def prepare() -> None:
    """Make Snakemake use our config loader and our display, and end without a traceback on Ctrl-C."""
    for module in map(import_module, CONFIG_MODULES):
        setattr(module, CONFIG_LOADER, _load)
    sys.excepthook = _excepthook
    register()
    name_user()
    try:
        check_assertions()
        if not any(word.startswith(CACHE_OPTION) for word in sys.argv):
            from snakemake.common import get_appdirs

            check_cache(Path(get_appdirs().user_cache_dir) / "snakemake/source-cache")
    except PipelineError as error:
        stop(error)


def begin(workflow: Any, targets: Iterable[str], results: Path, units: "Units", note: Callable[[], object]) -> set[str]:
    """Lock the study for the rest of this process, unless this is a dry run, note it, and check the targets.

    Raises:
        PipelineError: another run that would make other artifacts holds it.
        PipelineErrors: the study does not have some targets.
    """
    from workflow_scripts.study.plan import code_of_all, plan_digest

    if workflow.executor_plugin is not None and not workflow.dryrun:
        config = units.study.model_dump(mode="json")
        _held.append(hold_study(results, units.study.study, plan_digest(units), code_of_all(), config))
    note()
    return check_targets(targets, results, units)


def check_study(results: Path, study: str) -> None:
    """End a job whose study another run has taken over, before Snakemake removes outputs that are no longer its own."""
    try:
        with still_ours(results, study):
            pass
    except PipelineError as error:
        stop(error)


def name_user() -> None:
    """Give a user without an entry in the machine's list of users a name: Snakemake and PyTorch ask for one.

    Containers often run under such a number.
    """
    try:
        getpass.getuser()
    except (KeyError, OSError):
        os.environ["LOGNAME"] = f"user-{os.getuid()}"


def check_cache(folder: Path) -> None:
    """Create the folder in which Snakemake keeps copies of rules, in the user's home; it does so in dry runs too.

    Raises:
        PipelineError: the folder can't be created.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        advice = "set XDG_CACHE_HOME to a writable folder"
        raise PipelineError("no cache folder", folder, error.strerror or error, advice) from None


def _load(path: Any) -> dict[str, Any]:
    try:
        return read_file(path).data()
    except PipelineError as error:
        stop(error)


def stop(error: PipelineError) -> NoReturn:
    """Print a line for each error, below all that Snakemake has logged, and exit.

    Raises:
        SystemExit: with status 1.
    """
    for handler in logging.getLogger(LOGGER).handlers:
        if isinstance(records := getattr(handler, "queue", None), Queue):  # a thread shows them
            records.join()
    sys.stderr.write("".join(f"{line}\n" for line in error_lines(error)))
    raise SystemExit(1)


def _excepthook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.stderr.write(f"{INTERRUPTED}\n")
    else:
        sys.__excepthook__(kind, error, trace)


def check_targets(targets: Iterable[str], results: Path, units: "Units") -> set[str]:
    """The targets, with all artifacts of a stage in place of its name.

    Targets that the study does not have are refused: Snakemake would plan jobs that fail, or end with a traceback.

    Raises:
        PipelineErrors: an error for each, with the names that exist.
    """
    study = results.resolve() / units.study.study
    errors: list[PipelineError] = []
    found: set[str] = set()
    for target in sorted(targets):
        declared = declaration(target) if target in stage_names() else None
        if declared is not None and declared.unit:
            found |= {f"{results}/{units.study.study}/{label}{MANIFEST}" for label in units.all(target)}
            if not units.all(target):
                errors.append(PipelineError("unknown artifact", target, "the study has none of this stage", ADVICE))
            continue
        found.add(target)
        path = Path(target).parent.resolve() / Path(target).name
        name = path.name.removesuffix(MANIFEST).removesuffix(RUN)
        if name == path.name or path.parent.parent.parent != results.resolve():
            continue
        if path.parent.parent != study:
            theirs, made = path.parent.parent.name, Path(target).with_name(f"{name}{MANIFEST}")
            value, advice = f"{theirs}, not {study.name}", f"use its config: {command_for(made, force=False)}"
            errors.append(PipelineError("artifact of another study", target, value, advice))
            continue
        names = units.names(path.parent.name)
        if names is not None and name not in names:
            close = get_close_matches(name, names, SHOWN) or names[:SHOWN] or ["none"]
            advice = f"the study has {', '.join(close)}{', ...' if len(close) < len(names) else ''}"
            errors.append(PipelineError("unknown artifact", target, name, advice))
    if errors:
        raise PipelineErrors(errors)
    return found


def check_working_folder(project: str) -> None:
    """Stop if Snakemake works in another folder than the project's, and that one has no config.

    A module in the project's folder that hides one of Python's stops it too: jobs import from there first.

    Raises:
        SystemExit: with status 1.
    """
    here, there = Path.cwd(), Path(project).resolve()
    for path in sorted(there.iterdir()):
        is_module = path.suffix == ".py" or (path / "__init__.py").is_file()
        if is_module and path.name.removesuffix(".py") in sys.stdlib_module_names:
            stop(PipelineError("module that hides one of Python's", path, "jobs would import it", "rename it"))
    if not os.path.lexists(BASE) and not here.samefile(there):
        advice = f"start snakemake in {there}, without --directory"
        value = f"it has no {BASE}, since the project is in {there}"
        stop(PipelineError("another working folder", here, value, advice))


def check_folders(results: Path) -> None:
    """Check what Snakemake itself needs, even in a dry run.

    Raises:
        PipelineError: ``results`` is not a folder, or Snakemake's own folder can't be written.
    """
    if not results.is_dir() and (results.exists() or results.is_symlink()):
        value = f"a link to {os.readlink(results)}, not to a folder" if results.is_symlink() else "a file"
        advice = "results must be a folder or a link to one; create the folder, or move this away"
        raise PipelineError("no results folder", results, value, advice)
    folder = SNAKEMAKE if SNAKEMAKE.is_dir() else Path()
    if not os.access(folder, os.W_OK | os.X_OK):
        advice = "Snakemake stores its state there; change the permissions, or work in your own copy"
        raise PipelineError("no write permission", Path.cwd() / folder, f"user {os.geteuid()} may not write", advice)
