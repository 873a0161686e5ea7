"""Runs a stage under the artifact contract: atomic, computed once per key, and resumable.

The file of a stage declares it as ``STAGE``, a :class:`Stage`: everything in it decides bytes or keys, so the code
digest covers it. What can't change bytes (costs, resources and so on) is declared separately, in ``FACTS``
(:mod:`workflow_scripts.core.declaration.facts`). Its function receives a :class:`Job`, and its process calls
:func:`run_stage`, which handles keys, the cache, locks, manifests and run records.
"""

import argparse
import logging
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

from workflow_scripts.core.artifact import MANIFEST, Artifact
from workflow_scripts.core.cache import discard, key_lock, lookup, results_root, try_key_lock
from workflow_scripts.core.code_equivalence import counted_code, in_force
from workflow_scripts.core.digest import Uses, check_data_files, code_parts, uses_of
from workflow_scripts.core.errors import BUG, PipelineError, one_line
from workflow_scripts.core.files.bounded_json import Unfit
from workflow_scripts.core.files.durable import make_folders, write_atomic
from workflow_scripts.core.files.jsonio import canonical, pretty
from workflow_scripts.core.files.names import cache_entry, work_folder
from workflow_scripts.core.files.plain import check_inside
from workflow_scripts.core.files.sharing import share_with_group
from workflow_scripts.core.inputs import check_unchanged, clear_inputs, forgotten_later, read_apart
from workflow_scripts.core.key import artifact_key
from workflow_scripts.core.pinned_code import handed_on
from workflow_scripts.core.publish import Staging, publish
from workflow_scripts.core.runtime.command_line import also, arguments, in_turn
from workflow_scripts.core.runtime.environment import (
    FAISS,
    allow_many_files,
    check_device,
    check_faiss,
    environment,
    resolve_device,
)
from workflow_scripts.core.runtime.failures import errors_reported, start_again
from workflow_scripts.core.runtime.figures import share
from workflow_scripts.core.runtime.gpu import check_gpus
from workflow_scripts.core.runtime.job_log import WORK_LINE, keep_log, log_of_artifact, start_log
from workflow_scripts.core.runtime.machine import Clock, git_state, machine
from workflow_scripts.core.runtime.meter import measured, measuring
from workflow_scripts.core.runtime.placement import gpus_taken
from workflow_scripts.core.runtime.precision import EXACT, Precision, computing
from workflow_scripts.core.runtime.process import (
    check_assertions,
    keep_freed_memory,
    leave,
    quiet_libraries,
    start_process,
)
from workflow_scripts.core.runtime.progress import reporting_to
from workflow_scripts.core.runtime.variables import limit_threads, unset_variables
from workflow_scripts.core.settings import Settings
from workflow_scripts.core.sources import content_hash, listing, resolve_source

log = logging.getLogger(__name__)
S = TypeVar("S", bound=Settings)
T = TypeVar("T")
WILDCARD = re.compile(r"\{(\w+)\}")  # in the pattern of an artifact's name
RECIPE = ".recipe.json"  # in a work folder: what its key was computed from


@dataclass(frozen=True, kw_only=True)
class Stage(Generic[S]):
    """A stage: one rule, one file in ``stages/``, one folder of artifacts in each study.

    The code digest reads ``format`` and ``data_files`` without running the file, so they must be literals.

    Attributes:
        run: computes and writes through ``job.file``; its name is the stage's name.
        settings: checks ``--settings``.
        artifact: name of the stage's artifacts; wildcards in braces make the unit, as in ``{run}.{step}.{dataset}``.
            The value of a wildcard contains no dot.
        packages: PyPI packages whose major.minor version can change the bytes.
        not_in_key: settings and inputs that never change bytes. Such an input holds what the stage would otherwise
            compute itself.
        on_device: computes on the device of the config; other stages compute on the CPU.
        precision: how precisely it computes on a GPU.
        gpus: GPUs that a job with these settings takes where it computes on GPUs.
        numbered: the unit is only a number: the same content under another number is the same artifact, whose manifest
            holds no unit.
        identity: content that was fetched or found, for a stage that computes nothing. The key has it instead of code,
            inputs, unit and environment.
        format: version number of the output's format, raised when the same fetched bytes give another artifact; for
            stages with an ``identity``.
        data_files: files that the stage reads from the checkout, and folders of which it reads all files.
        entries: registry (a package or module below ours) -> the entries of it that a job with these settings uses,
            whose code is in its key; all entries of a registry that is left out.
    """

    run: Callable[["Job[S]"], None]
    settings: type[S] = Settings  # type: ignore[assignment]
    artifact: str
    packages: tuple[str, ...] = ()
    not_in_key: frozenset[str] = frozenset()
    on_device: bool = False
    precision: Precision = EXACT
    gpus: Callable[[S], int] = lambda _: 1
    numbered: bool = False
    identity: Callable[["Job[S]"], dict[str, Any]] | None = None
    format: int | None = None
    data_files: tuple[str, ...] = ()
    entries: Callable[[S], Mapping[str, Iterable[str]]] = lambda _: {}

    @property
    def name(self) -> str:
        """The stage's name, which its rule, its file and its folders share."""
        return self.run.__name__

    @property
    def unit(self) -> tuple[str, ...]:
        """Names of the wildcards, in order; empty for a stage with one artifact."""
        return tuple(WILDCARD.findall(self.artifact))

    @property
    def by_content(self) -> bool:
        """Whether the key holds the fetched or found content instead of what it was computed from."""
        return self.identity is not None

    def unit_of(self, name: str) -> dict[str, str]:
        """The wildcard values in the name of an artifact."""
        return dict(zip(self.unit, name.split("."), strict=True)) if self.unit else {}

    def in_key(self, named: Mapping[str, Any]) -> dict[str, Any]:
        """The settings, or the inputs, that can change the bytes of an artifact."""
        return {name: value for name, value in named.items() if name not in self.not_in_key}

    def uses(self, settings: Mapping[str, Any]) -> Uses:
        """The entries of registries that a job with these settings uses."""
        return uses_of(self.entries(self.settings.model_validate_json(canonical(settings))))

    def device(self, requested: str) -> str:
        """The device (``auto``, ``cpu`` or ``cuda``) of the stage's jobs when the config says ``requested``."""
        return requested if self.on_device else "cpu"

    def manifest_unit(self, unit: Mapping[str, str]) -> dict[str, str]:
        """The unit as key and manifest hold it: empty where it is only a number."""
        return {} if self.numbered else dict(unit)


class Job(Generic[S]):
    """What a stage function receives: its settings, its inputs, and the paths to write to.

    Attributes:
        stage: the stage's declaration.
        unit: wildcard values.
        settings: the checked settings.
        device: ``cpu`` or ``cuda``.
        threads: math threads (part of the key).
        workers: processes or threads for input and output; never changes bytes.
        gpu_mb: memory of a GPU, in MB, that the job is estimated to need.
        work: folder for resuming; survives a kill, is reused by the same key, and is removed once the artifact is
            complete.
        others: jobs of the same stage and settings that this process does too; read with ``read_all``.
        left: whether this process leaves the artifact to another.
        kept: what :meth:`keep` keeps, the same for all jobs that this process does in turn.
    """

    def __init__(self, stage: Stage[S], settings: S, args: argparse.Namespace) -> None:
        self.stage, self.settings = stage, settings
        self.unit: dict[str, str] = args.unit
        self.device, self.threads, self.workers = resolve_device(args.device), args.threads, args.workers
        self.gpu_mb: int = args.gpu_mb
        self._inputs = {name: [Artifact(Path(p)) for p in paths] for name, paths in args.input.items()}
        self._sources: dict[str, str] = args.source
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

    def inputs(self, name: str) -> list[Artifact]:
        """The input artifacts named ``name``, in order; empty if there are none."""
        return self._inputs.get(name, [])

    def input(self, name: str) -> Artifact:
        """The single input artifact named ``name``."""
        artifacts = self.inputs(name)
        if len(artifacts) != 1:
            value = f"{len(artifacts)} for {name}"
            raise PipelineError("wrong number of inputs", self.stage.name, value, "give exactly one")
        return artifacts[0]

    def has_source(self, name: str) -> bool:
        """Whether the job was given an external source that not every study has."""
        return name in self._sources or bool(self.inputs(name))

    def source(self, name: str) -> Path:
        """Local path of an external source: a file, a folder or a hub snapshot; its content is part of the key."""
        if name not in self._source_paths:
            artifact = next(iter(self.inputs(name)), None)
            self._source_paths[name] = resolve_source(name, self._sources.get(name, ""), artifact, self.results)
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

    def check_shared_inputs(self, first: "Job[S]") -> None:
        """Check that what a process keeps from its first job, such as models, is what this later job would read.

        Raises:
            PipelineError: an input that both read from the same place has changed.
        """
        for name, artifacts in self._inputs.items():
            for artifact, earlier in zip(artifacts, first.inputs(name), strict=False):
                if artifact.manifest_path == earlier.manifest_path and artifact.hash != earlier.hash:
                    advice = "no action needed; the artifact's own job reads the new one"
                    value = "replaced by another job"
                    raise PipelineError("input changed during use", artifact.manifest_path, value, advice)

    def source_hashes(self) -> dict[str, list[str]]:
        """Manifest hash of every input, and content hash of every source that has no manifest."""
        inputs = sorted(self._inputs.items())
        hashes = {name: [artifact.hash for artifact in artifacts] for name, artifacts in inputs if artifacts}
        for name in self._sources:
            if name not in hashes:
                hashes[name] = [content_hash(self.source(name), self.results)]
        return hashes


def read_all(job: Job[S], read: Callable[[Job[S]], T]) -> list[tuple[Job[S], T]]:
    """The job and its ``others``, each with what ``read`` returns.

    One of the others whose inputs can't be read, or change while they are read, is left to its own process. Their later
    changes are not looked for, since everything needed is in memory.

    Args:
        job: the process's own.
        read: reads into memory everything that the stage needs of the inputs that differ between the jobs.

    Raises:
        PipelineError: the inputs of the process's own job can't be read.
    """
    results = [(job, read(job))]
    for other in job.others:
        try:
            with read_apart():
                value = read(other)
        except (PipelineError, OSError, ValueError) as error:
            other.left = True
            _leave_to_its_own(other.staging.artifact, error)
        else:
            results.append((other, value))
    job.others = [other for other in job.others if not other.left]
    return results


def run_stage(stage: Stage[S], argv: list[str] | None = None) -> None:
    """Make one artifact: from the cache if its key is there, else by ``stage.run``.

    Raises:
        SystemExit: 1 after a :class:`PipelineError` or any other error; the last line starts with ``error:``.
    """
    args = arguments(stage.name, argv)
    start_log(args.artifact)
    if argv is None:  # a process of its own
        start_process()
        quiet_libraries()
        if stage.on_device and resolve_device(args.device) == "cpu":
            keep_freed_memory()
    unset_variables(args.settings)
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
    published as well: they may take days, during which others look at the results.
    """
    with ExitStack() as held:
        with ExitStack() as stack:
            computes = stack.enter_context(_opened(job, artifact, held))
            if computes:
                job.others = list(_opened_others(job, list(also(args)), stack))
                _run_measured(job)
        if computes:
            _take_turns(job, in_turn(args))


def _opened_others(job: Job[S], others: list[argparse.Namespace], stack: ExitStack) -> Iterator[Job[S]]:
    for args in others:
        try:
            other = Job(job.stage, job.settings, args)
            if stack.enter_context(_opened(other, _artifact(args))):
                yield other
        except PipelineError as error:
            _leave_to_its_own(_artifact(args), error)


def _make_next(first: Job[S], args: argparse.Namespace) -> bool:
    """Make the artifact unless it is in the cache or another process is making it; returns whether it was made.

    Raises:
        PipelineError: its inputs can't be used, or those that all jobs share changed.
    """
    job, artifact = Job(first.stage, first.settings, args), _artifact(args)
    job.check_shared_inputs(first)
    job.kept = first.kept
    with _opened(job, artifact, published=True) as computes:
        if computes:
            log.info("%s%s", WORK_LINE, job.work)
            _run_measured(job)
    return computes


def _run_measured(job: Job[S]) -> None:
    """Run the stage's function; what it took is divided among the jobs that it did."""
    with measuring(job.work), reporting_to(job.work):
        job.stage.run(job)
    jobs = [job, *job.others]
    for done in jobs:
        done.figures = share(measured(job.work), len(jobs))


def _take_turns(first: Job[S], waiting: list[argparse.Namespace]) -> None:
    """Make the artifacts of other jobs in turn, until none is left whose inputs exist; models are loaded once for all.

    Any number of processes may do so at the same time. An artifact that can't be made is left to its own job, which
    reports why. An error that no stage expects, such as one of the GPU, ends the process's turns.
    """
    artifacts, before = 1, 0
    while waiting and artifacts > before:  # inputs of some may have appeared meanwhile
        before, absent = artifacts, []
        for args in waiting:
            if not all(Path(path).exists() for paths in args.input.values() for path in paths):
                absent.append(args)
                continue
            try:
                with forgotten_later():
                    artifacts += _make_next(first, args)
            except (PipelineError, OSError) as error:
                _leave_to_its_own(Path(args.artifact), error)
            except Exception as error:  # noqa: BLE001 - this job's own artifact is complete: it must not fail
                _leave_to_its_own(Path(args.artifact), error)
                return
        waiting = absent
    if artifacts > 1:
        log.info("%d artifacts made by this process", artifacts)


def _leave_to_its_own(artifact: Path, error: Exception) -> None:
    """Log that this process does not make an artifact of another job, and why."""
    log.info("%s is left to its own job: %s", artifact, one_line(str(error)))


@contextmanager
def _opened(job: Job[S], artifact: Path, held: ExitStack | None = None, published: bool = False) -> Iterator[bool]:
    """Whether the block has to compute the job's artifact, which is kept and published when the block ends.

    Args:
        held: keeps the GPUs that the process takes. None: the job is not this process's own. It is left to a process
            that is computing it, takes no GPUs, and is not published.
        published: publish what was computed, even if the job is not this process's own.
    """
    stage, clock, extra = job.stage, Clock(), held is None
    job.staging = Staging(artifact)
    recipe = _recipe_of(job)
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
            code = _start_computation(job, artifact, entry, recipe, alone, extra)
            if held is not None and job.device == "cuda":
                if cards := held.enter_context(gpus_taken(stage.gpus(job.settings))):
                    job.note(gpus=cards)
                check_gpus(stage.name, job.gpu_mb)
            # Training begins its block by itself: importing PyTorch first would delay what handles interrupts.
            precise = nullcontext() if stage.precision.training else computing(stage.precision, job.device)
            with job.staging, precise:
                with handed_on():
                    yield True
                if job.left:
                    job.staging.remove()
                    if [path.name for path in job.work.iterdir()] == [RECIPE]:  # nothing to resume from
                        shutil.rmtree(job.work)
                    return
                check_unchanged()
                check_data_files(stage.name)
                record = {**recipe, **code, "facts": job.facts, "figures": job.figures}
                record |= {**machine(stage.packages, job.device), **clock.read()}
                manifest, ours = job.staging.seal(entry, stage.manifest_unit(job.unit), job.row_counts, record)
        if (published or not extra) and not publish(entry, artifact, manifest, {**recipe, **clock.read()}, ours=ours):
            advice = "run the same command again"
            raise PipelineError("cache entry removed during use", entry, "a file is missing", advice)
        shutil.rmtree(job.work, ignore_errors=True)


def _recipe_of(job: Job[S]) -> dict[str, Any]:
    """The key, and everything that it was computed from: the first part of the run record."""
    stage = job.stage
    uses, inputs = uses_of(stage.entries(job.settings)), job.source_hashes()
    code, acceptance = counted_code(stage.name, job.results, uses), in_force(stage.name, job.results, uses)
    settings = job.settings.model_dump(mode="json")
    in_key = stage.in_key(settings)
    env = environment(job.device, job.threads, stage.packages)
    if stage.identity is None:
        key = artifact_key(stage.name, stage.manifest_unit(job.unit), code, in_key, stage.in_key(inputs), env)
    else:
        key = artifact_key(stage.name, stage.identity(job), code, in_key, {}, {})
    files = {name: [str(artifact.manifest_path) for artifact in job.inputs(name)] for name in inputs}
    return {
        "artifact": f"{stage.name}/{job.staging.artifact.name}",
        "stage": stage.name,
        "unit": job.unit,
        "key": key,
        "code": code,
        **({"uses": {registry: list(names) for registry, names in uses}} if uses else {}),
        **({} if acceptance is None else {"accepted": acceptance}),
        "settings": settings,
        "not_in_key": sorted(settings.keys() - in_key.keys()),
        "inputs": inputs,
        "input_files": files,
        "environment": env,
        "workers": job.workers,
    }


def _start_computation(
    job: Job[S], artifact: Path, entry: Path, recipe: dict[str, Any], alone: bool, extra: bool
) -> dict[str, Any]:
    """Prepare the folders of a computation; returns the code that will compute, for the run record.

    Raises:
        PipelineError: a link or the like is in the work folder, through which a stage would write elsewhere.
    """
    check_assertions()
    check_device(job.device)
    if FAISS in job.stage.packages:
        check_faiss()
    discard(entry)
    try:
        with suppress(FileNotFoundError):
            check_inside(job.work)
    except Unfit as error:
        advice = "remove it, or the folder, then run the same command again"
        raise PipelineError("unsafe work folder", job.work, error, advice) from None
    make_folders(job.work)
    write_atomic(job.work / RECIPE, pretty(recipe))
    if not extra:
        keep_log(log_of_artifact(artifact), job.work)
        log.info("%s%s", WORK_LINE, job.work)
    job.staging.open(job.results, job.stage.name, recipe["key"], alone)
    used = uses_of(job.stage.entries(job.settings))
    return {"closure": code_parts(job.stage.name, used), "git": git_state()}
