"""Decides and checks which jobs of a command run, before any starts.

Snakemake has no public interface for a Snakefile to inspect the jobs of a command before they start. Four functions
register callbacks, from ``rules/common.smk`` and only in the main process:

- :func:`before_jobs`: called before Snakemake determines the jobs for the targets.
- :func:`before_planning`: called once the jobs are known and before Snakemake decides which of them run. The callback
  may decide for some of the jobs.
- :func:`outside_groups`: called at the same time, for jobs that must not share a cluster job with their group.
- :func:`after_planning`: called when that is decided and nothing has started yet, dry runs included. The callback gets
  the jobs that will run, without those that ``--until`` and ``--omit-from`` cut off::

      def check(jobs: list[PlannedJob], dry_run: bool) -> None: ...

      after_planning(workflow, check)

Callbacks are called in the order of their registration. A :class:`PipelineError` from one ends the command with its
message and exit status 1. The internals of Snakemake that are used are listed in ``internals.py``;
``tests/workflow/test_planning.py`` fails when a new Snakemake no longer works this way.
"""

import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from workflow_scripts.core.cache import file_hash
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.study.snakemake.faster import check_groups_fast, read_signatures_once, without_commands
from workflow_scripts.study.snakemake.internals import require
from workflow_scripts.study.snakemake.startup import stop
from workflow_scripts.study.units import PlannedJob

COMPARISONS = ("params_changed", "input_changed", "code_changed", "software_stack_changed")


# Job -> whether it must run; Snakemake decides for jobs that are left out.
Decide = Callable[[Sequence[PlannedJob], frozenset[str]], Mapping[PlannedJob, bool]]
Check = Callable[[list[PlannedJob], bool], None]


def before_jobs(workflow: Any, check: Callable[[Iterable[str]], None]) -> None:
    """Register ``check(targets)``, which gets the requested rules and files; none mean the default target."""
    _hooks(workflow).targets.append(check)


def before_planning(workflow: Any, decide: Decide) -> None:
    """Register ``decide(jobs, triggers)``, which returns, for the jobs that it knows, whether they must run.

    ``jobs`` are all jobs, inputs first; ``triggers`` are the names given to ``--rerun-triggers``. A
    job that must not run still does when its outputs are missing and needed, when one of its inputs is recomputed,
    or when the user forces it.
    """
    _hooks(workflow).decide.append(decide)


def outside_groups(workflow: Any, apart: Callable[[PlannedJob], bool]) -> None:
    """Register ``apart(job)``: whether a job gets a cluster job of its own instead of that of its group.

    Jobs that depend on others of their group through jobs outside need this: Snakemake refuses a group that depends on
    itself.
    """
    _hooks(workflow).apart.append(apart)


def after_planning(workflow: Any, check: Check, affects: Collection[str] = ()) -> None:
    """Register ``check(jobs, dry_run)``, which gets the jobs that will run, inputs first.

    ``affects``: rules whose parameters depend on what it got.
    """
    _hooks(workflow).check.append(check)
    _hooks(workflow).affected.update(affects)


class _Hooks:
    """Callbacks of one workflow."""

    def __init__(self, workflow: Any) -> None:
        require("workflow", workflow)
        read_signatures_once()
        self.workflow = workflow
        self.targets: list[Callable[[Iterable[str]], None]] = []
        self.decide: list[Decide] = []
        self.apart: list[Callable[[PlannedJob], bool]] = []
        self.check: list[Check] = []
        self.affected: set[str] = set()  # rules
        self._build = workflow._build_dag
        workflow._build_dag = self.build_dag

    def build_dag(self) -> None:
        from snakemake.exceptions import ProtectedOutputException

        dag = self.workflow.dag
        require("dag", dag)
        require("persistence", self.workflow.persistence)
        known, plan = dag.check_incomplete, dag.postprocess

        async def check_incomplete() -> None:
            await known()
            self._decided(dag)

        async def postprocess(*args: Any, **kwargs: Any) -> None:
            try:
                await plan(*args, **kwargs)
            except ProtectedOutputException as error:
                *_, file = str(error).split()  # the last file in the message
                advice = "change the permissions of the results, or work in your own copy"
                stop(PipelineError("no write permission", file, f"user {os.geteuid()} may not write", advice))
            if kwargs.get("check_initial"):
                # Jobs after those of --until are no longer in the plan. Snakemake would also never start the jobs
                # between two of them, if one needs the other, and end with "Out of jobs".
                dag.in_until = lambda job: False
                self._checked(dag)

        dag.check_incomplete, dag.postprocess = check_incomplete, postprocess
        check_groups_fast(dag)
        for check in self.targets:
            _or_stop(check, self.workflow.dag_settings.targets)
        self._build()
        self._refuse_lock()

    def _refuse_lock(self) -> None:
        """Replace the message that Snakemake would print next; ``profiles/default`` disables its locks."""
        settings = self.workflow.execution_settings
        if settings is None or not settings.lock or self.workflow.dryrun or not self.workflow.persistence.locked:
            return
        value = "another Snakemake is computing the same files, or was killed while doing so"
        advice = "wait for it; if none is running, run snakemake --unlock"
        stop(PipelineError("locked study", Path.cwd() / ".snakemake/locks", value, advice))

    def _decided(self, dag: Any) -> None:
        requested = _requested(dag)
        theirs = {_planned(job, job in requested): job for level in dag.toposorted() for job in _sorted(level)}
        for job, own in theirs.items():
            if own.group is not None and any(apart(job) for apart in self.apart):
                own.group = ".".join([own.group, job.stage, *job.unit.values()])
        triggers = frozenset(str(trigger) for trigger in self.workflow.rerun_triggers)
        settled = set()
        for decide in self.decide:
            for job, must_run in _or_stop(decide, list(theirs), triggers).items():
                if must_run and job.requested:
                    dag.forcefiles.update(theirs[job].output)
                else:
                    settled.add(theirs[job])
        _settle(self.workflow.persistence, settled)

    def _checked(self, dag: Any) -> None:
        if not self.check:
            return
        running = set(dag.needrun_jobs())
        ordered = [job for level in dag.toposorted() for job in _sorted(level) if job in running]
        jobs = [_planned(job, True) for job in ordered]
        for check in self.check:
            _or_stop(check, jobs, bool(self.workflow.dryrun))
        if not self.workflow.dryrun:
            return
        if not self.workflow.output_settings.printshellcmds:
            without_commands(ordered)
            return
        # Snakemake forgets parameters before a job starts; done here too, so that a dry run prints the same commands.
        for job in running:
            if job.rule.name in self.affected:
                job.reset_params_and_resources()


def _hooks(workflow: Any) -> _Hooks:
    build = getattr(workflow, "_build_dag", None)
    owner = getattr(build, "__self__", None)
    return owner if isinstance(owner, _Hooks) else _Hooks(workflow)


def _or_stop(function: Callable[..., Any], *args: Any) -> Any:
    try:
        return function(*args)
    except PipelineError as error:
        stop(error)
    except OSError as error:
        where, advice = (
            error.filename or "the results folder",
            "check permissions and disk, then start again",
        )
        stop(PipelineError("unreadable or unwritable", where, error.strerror or error, advice))


def _planned(job: Any, requested: bool) -> PlannedJob:
    inputs = {
        name: [str(value)] if isinstance(value, str) else [str(path) for path in value]
        for name, value in job.input.items()
    }
    inputs = {name: paths for name, paths in inputs.items() if paths}
    return PlannedJob(job.rule.name, dict(job.wildcards_dict), inputs, [str(path) for path in job.output], requested)


def _sorted(level: Iterable[Any]) -> list[Any]:
    return sorted(level, key=lambda job: (job.rule.name, [str(path) for path in job.output]))


def _requested(dag: Any) -> set[Any]:
    """Jobs that remain after ``--until`` and ``--omit-from``, which Snakemake applies later."""
    until = set(dag.until_jobs()) if dag.untilrules or dag.untilfiles else dag.targetjobs
    omitted = dag.omitfrom_jobs() if dag.omitrules or dag.omitfiles else ()
    return set(dag.bfs(dag.dependencies, *until)) - set(dag.bfs(dag.depending, *omitted))


def _settle(persistence: Any, settled: set[Any]) -> None:
    """Make Snakemake's metadata report no change for these jobs, regardless of its records and of file times."""

    def unchanged(compare: Callable[..., Any]) -> Callable[..., Any]:
        return lambda job, file=None: () if job in settled else compare(job, file=file)

    for name in COMPARISONS:
        setattr(persistence, name, unchanged(getattr(persistence, name)))
    checksums = persistence.input_checksums
    persistence.input_checksums = lambda job, path: (
        {f"sha256:{file_hash(Path(path))}"} if job in settled else checksums(job, path)
    )
