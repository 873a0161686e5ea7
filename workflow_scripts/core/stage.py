"""Runs a stage under the artifact contract: atomic, computed once per key, and resumable.

A stage module calls :func:`run_stage` with its declaration; this module and those beside it handle keys, the cache,
locks, manifests and run records.
"""

import argparse
import logging
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

from workflow_scripts.core.artifact import MANIFEST, Artifact
from workflow_scripts.core.cache import key_lock, lookup, results_root, try_key_lock
from workflow_scripts.core.declaration.stage import S, Stage
from workflow_scripts.core.digest import check_data_files
from workflow_scripts.core.errors import BUG, PipelineError
from workflow_scripts.core.faults.again import start_again
from workflow_scripts.core.faults.last_line import errors_reported
from workflow_scripts.core.faults.sharing import share_with_group
from workflow_scripts.core.files.names import cache_entry, work_folder
from workflow_scripts.core.inputs import check_unchanged, clear_inputs
from workflow_scripts.core.pinned_code import handed_on
from workflow_scripts.core.publish import Staging, publish
from workflow_scripts.core.runtime.attempts import WORK_LINE
from workflow_scripts.core.runtime.clock import Clock
from workflow_scripts.core.runtime.command_line import also, arguments, groups, in_turn
from workflow_scripts.core.runtime.environment import allow_many_files, limit_threads, resolve_device, unset_variables
from workflow_scripts.core.runtime.machine import machine
from workflow_scripts.core.runtime.meter import run_measured
from workflow_scripts.core.runtime.placement import gpus_taken
from workflow_scripts.core.runtime.process import leave, quiet_libraries, start_quickly, tell_fatal_signals
from workflow_scripts.core.runtime.recipe import RECIPE, recipe_of, start_computation
from workflow_scripts.core.runtime.stage_log import start_log
from workflow_scripts.core.runtime.together import left_to_its_own
from workflow_scripts.core.runtime.turns import check_shared_inputs, take_turns
from workflow_scripts.core.sources import content_hash, listing, resolve_source

log = logging.getLogger(__name__)
T = TypeVar("T")


class Job(Generic[S]):
    """What a stage function receives: its settings, its inputs, and the paths to write to.

    Attributes:
        stage: the stage's declaration.
        unit: wildcard values.
        settings: the checked settings.
        device: ``cpu`` or ``cuda``.
        threads: math threads (part of the key).
        workers: processes or threads for input and output; never changes bytes.
        work: folder for resuming; survives a kill, is reused by the same key, and is removed once the artifact is
            complete.
        others: jobs of the same stage and settings that this process does too; read with ``read_all``.
        left: whether this process leaves the artifact to another.
        kept: what :meth:`keep` keeps, the same for all jobs that this process does in turn.
    """

    def __init__(self, stage: Stage[S], settings: S, args: argparse.Namespace) -> None:
        self.stage, self.settings = stage, settings
        self.unit: dict[str, str] = dict(pair.split("=", 1) for pair in args.unit)
        self.device, self.threads, self.workers = resolve_device(args.device), args.threads, args.workers
        self._inputs = {name: [Artifact(Path(p)) for p in paths] for name, paths in groups(args.input)}
        self._sources = dict(pair.split("=", 1) for group in args.source for pair in group)
        self._source_paths: dict[str, Path] = {}
        self.staging: Staging
        self.work: Path
        self.others: list[Job[S]] = []
        self.left = False
        self.kept: dict[str, Any] = {}
        self.row_counts: dict[str, Any] = {}
        self.facts: dict[str, Any] = {}
        self.figures: dict[str, float] = {}

    @property
    def results(self) -> Path:
        """The results folder."""
        return results_root(self.staging.artifact)

    @property
    def input_names(self) -> list[str]:
        """Names of the inputs that the command line gives."""
        return list(self._inputs)

    def inputs(self, name: str) -> list[Artifact]:
        """The input artifacts named ``name``, in order; empty if there are none."""
        return self._inputs.get(name, [])

    def input(self, name: str) -> Artifact:
        """The single input artifact named ``name``."""
        found = self.inputs(name)
        if len(found) != 1:
            raise PipelineError(
                "wrong number of inputs", self.stage.name, f"{len(found)} for {name}", "give exactly one"
            )
        return found[0]

    def has_source(self, name: str) -> bool:
        """Whether the job was given an external source that not every study has."""
        return name in self._sources or bool(self.inputs(name))

    def source(self, name: str) -> Path:
        """Local path of an external source: a file, a folder or a hub snapshot; its content is part of the key."""
        if name not in self._source_paths:
            made = self.inputs(name)
            wanted = self._sources.get(name, "")
            self._source_paths[name] = resolve_source(name, wanted, made[0] if made else None, self.results)
        return self._source_paths[name]

    def keep(self, name: str, make: Callable[[], T]) -> T:
        """The value kept under ``name``, made by the first job of this process that needs it, such as a model.

        ``make`` may depend on the settings and on the inputs that all jobs of a process share, nothing else.
        """
        if name not in self.kept:
            self.kept[name] = make()
        return cast("T", self.kept[name])

    def source_files(self, name: str) -> dict[str, str]:
        """Relative path (empty for a source of one file) -> sha256 of every file of a source."""
        return {entry["path"]: entry["sha256"] for entry in listing(self.source(name), self.results)}

    def file(self, suffix: str) -> Path:
        """Path for the data file ``<artifact><suffix>``; it is published when the stage ends."""
        return self.staging.file(suffix)

    def beside(self, suffix: str) -> Path:
        """Like :meth:`file`, for a file outside manifest and hash (times, attempts)."""
        return self.staging.file(suffix, hashed=False)

    def rows(self, rows_in: int, rows_out: int, dropped: dict[str, int] | None = None) -> None:
        """Record how many rows were read, written, and dropped by reason; the numbers must add up."""
        dropped = {reason: count for reason, count in sorted((dropped or {}).items()) if count}
        if rows_in != rows_out + sum(dropped.values()):
            value = f"{rows_in} in, {rows_out} out, dropped {dropped}"
            raise PipelineError("rows unaccounted for", self.stage.name, value, BUG)
        self.row_counts = {"in": rows_in, "out": rows_out, "dropped": dropped}

    def note(self, **facts: Any) -> None:
        """Add facts to the run record only: rates, times, numbers of retries."""
        self.facts.update(facts)

    def source_hashes(self) -> dict[str, list[str]]:
        """Manifest hash of every input, and content hash of every source that has no manifest."""
        hashes = {name: [one.hash for one in found] for name, found in sorted(self._inputs.items()) if found}
        for name in self._sources:
            if name not in hashes:
                hashes[name] = [content_hash(self.source(name), self.results)]
        return hashes


def run_stage(stage: Stage[S], argv: list[str] | None = None) -> None:
    """Make one artifact: from the cache if its key is there, else by ``stage.run``.

    Raises:
        SystemExit: 1 after a :class:`PipelineError` or any other error; the last line starts with ``error:``.
    """
    args = arguments(stage.name, argv)
    start_log(args.artifact)
    if argv is None:  # a process of its own
        start_quickly()
        quiet_libraries()
        tell_fatal_signals()
    unset_variables()
    limit_threads(args.threads)
    allow_many_files()
    clear_inputs()
    share_with_group(results_root(_artifact(args)))
    status = 0
    try:
        _run(stage, args, own_process=argv is None)
    except SystemExit as ended:
        if argv is not None or not isinstance(ended.code, int):
            raise
        status = ended.code
    if argv is None:
        leave(status)


def _run(stage: Stage[S], args: argparse.Namespace, own_process: bool) -> None:
    artifact = _artifact(args)
    with errors_reported(stage.name, artifact):
        settings = stage.settings.model_validate_json(args.settings)
        try:
            _make(Job(stage, settings, args), artifact, args)
        except Exception as error:
            if own_process:
                start_again(error)
            raise


def _artifact(args: argparse.Namespace) -> Path:
    return Path(args.artifact.removesuffix(MANIFEST))


def _make(job: Job[S], artifact: Path, args: argparse.Namespace) -> None:
    """Make the artifact; if it has to be computed, also those of ``--also`` and ``--in-turn`` not in the cache.

    The artifacts of ``--also`` only go into the cache, from where their own jobs take them. Those of ``--in-turn`` are
    published as well: they may take days, in which others look at the results.
    """
    with ExitStack() as held:
        with ExitStack() as stack:
            computes = stack.enter_context(_opened(job, artifact, held))
            if computes:
                job.others = list(_opened_others(job, list(also(args, job.stage.unit)), stack))
                run_measured(job)
        if computes:
            take_turns(in_turn(args), lambda one: _make_next(job, one))


def _opened_others(job: Job[S], others: list[argparse.Namespace], stack: ExitStack) -> Iterator[Job[S]]:
    for args in others:
        try:
            other = Job(job.stage, job.settings, args)
            if stack.enter_context(_opened(other, _artifact(args), extra=True)):
                yield other
        except PipelineError as error:
            left_to_its_own(_artifact(args), error)


def _make_next(first: Job[S], args: argparse.Namespace) -> bool:
    """Make the artifact unless it is in the cache or another process is making it; gives whether it was made.

    Raises:
        PipelineError: its inputs can't be used, or those that all jobs share changed.
    """
    job, artifact = Job(first.stage, first.settings, args), _artifact(args)
    check_shared_inputs(job, first)
    job.kept = first.kept
    with _opened(job, artifact, extra=True, published=True) as computes:
        if computes:
            log.info("%s%s", WORK_LINE, job.work)
            run_measured(job)
    return computes


@contextmanager
def _opened(
    job: Job[S], artifact: Path, held: ExitStack | None = None, *, extra: bool = False, published: bool = False
) -> Iterator[bool]:
    """Whether the block has to compute the job's artifact, which is kept and published when the block ends.

    Args:
        held: keeps the GPUs that the process takes.
        extra: the job is not this process's own: it is left to a process that is computing it, takes no GPUs, and is
            not published.
        published: publish what was computed, even if the job is not this process's own.
    """
    stage, clock = job.stage, Clock()
    job.staging = Staging(artifact)
    recipe = recipe_of(job)
    entry = cache_entry(job.results, stage.name, recipe["key"])
    job.work = work_folder(job.results, stage.name, recipe["key"])
    manifest = lookup(entry)
    if manifest is not None and (extra or publish(entry, artifact, manifest, {**recipe, **clock.read()})):
        if job.work.exists() and not extra:  # of a run that was killed after its artifact was complete
            with key_lock(job.work):
                shutil.rmtree(job.work, ignore_errors=True)
        yield False
        return
    with (try_key_lock if extra else key_lock)(job.work) as alone:
        if extra and not alone:
            yield False
            return
        manifest, ours = lookup(entry), False
        if manifest is not None:
            yield False
        else:
            code = start_computation(job, artifact, entry, recipe, alone, extra)
            wanted = job.settings.gpus if job.device == "cuda" else 0
            if held is not None and (cards := held.enter_context(gpus_taken(wanted))):
                job.note(gpus=cards)
            with job.staging:
                with handed_on():
                    yield True
                if job.left:
                    job.staging.remove()
                    if [path.name for path in job.work.iterdir()] == [RECIPE]:  # nothing to resume from
                        shutil.rmtree(job.work)
                    return
                check_unchanged()
                check_data_files(stage.name)
                fresh = {**recipe, **code, "facts": job.facts, "figures": job.figures}
                fresh |= {**machine(stage.packages, job.device), **clock.read()}
                manifest, ours = job.staging.seal(entry, stage.manifest_unit(job.unit), job.row_counts, fresh)
        if (published or not extra) and not publish(entry, artifact, manifest, {**recipe, **clock.read()}, ours=ours):
            advice = "run the same command again"
            raise PipelineError("cache entry removed during use", entry, "a file is missing", advice)
        shutil.rmtree(job.work, ignore_errors=True)
