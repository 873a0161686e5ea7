"""Decides and checks which jobs of a command run, before any starts.

Snakemake has no public interface for a Snakefile to inspect the jobs of a command before they start. So
``rules/common.smk`` creates a :class:`Planning` in the main process, which calls back. A :class:`PipelineError` from a
callback ends the command with its message and exit status 1. ``tests/study/snakemake/test_internals.py`` lists the
internals of Snakemake that this folder and the rules use, and fails when a new Snakemake lacks one;
``tests/workflow/test_planning.py`` fails when it no longer works this way.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from workflow_scripts.core.cache import file_hash
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.study.snakemake.startup import stop
from workflow_scripts.study.units import PlannedJob

COMPARISONS = ("params_changed", "input_changed", "code_changed", "software_stack_changed")


class Planning:
    """The callbacks of one workflow.

    Args:
        workflow: Snakemake's.
        targets: called before Snakemake determines the jobs, with the requested rules and files; none mean the default
            target. Returns those to plan.
        decide: called before Snakemake decides which jobs run, with all jobs, inputs first, and the names given to
            ``--rerun-triggers``; returns, for the jobs that it knows, whether they must run. A job that must not run
            still does when its outputs are missing and needed, when one of its inputs is recomputed, or when the user
            forces it.
        apart: whether a job gets a cluster job of its own instead of that of its group. Jobs that depend on others of
            their group through jobs outside need this: Snakemake refuses a group that depends on itself.
        checks: called, dry runs included, when it is decided what runs and nothing has started yet, with the jobs that
            will run, inputs first, and whether it is a dry run. Jobs that ``--until`` and ``--omit-from`` cut off are
            left out.
        affected: rules whose parameters depend on what the checks got.
    """

    def __init__(
        self,
        workflow: Any,
        targets: Callable[[Iterable[str]], Iterable[str]],
        decide: Callable[[Sequence[PlannedJob], frozenset[str]], Mapping[PlannedJob, bool]],
        apart: Callable[[PlannedJob], bool],
        checks: Sequence[Callable[[list[PlannedJob], bool], None]],
        affected: Collection[str] = (),
    ) -> None:
        self.workflow, self.targets, self.decide, self.apart = workflow, targets, decide, apart
        self.checks, self.affected = checks, affected
        self._prepare, self._build = workflow._prepare_dag, workflow._build_dag
        workflow._prepare_dag = self.prepare_dag
        workflow._build_dag = self.build_dag

    def prepare_dag(self, *args: Any, **kwargs: Any) -> None:
        """Let Snakemake determine the jobs of the targets, once they are checked."""
        settings = self.workflow.dag_settings
        settings.targets = frozenset(_or_stop(self.targets, settings.targets))
        self._prepare(*args, **kwargs)

    def build_dag(self) -> None:
        dag = self.workflow.dag
        known, plan = dag.check_incomplete, dag.postprocess

        async def check_incomplete() -> None:
            await known()
            self._decided(dag)

        async def postprocess(*args: Any, **kwargs: Any) -> None:
            await plan(*args, **kwargs)
            if kwargs.get("check_initial"):
                # Jobs after those of --until are no longer in the plan. Snakemake would also never start the jobs
                # between two of them, if one needs the other, and end with "Out of jobs".
                dag.in_until = lambda job: False
                self._checked(dag)

        dag.check_incomplete, dag.postprocess = check_incomplete, postprocess
        check_groups_fast(dag)
        self._build()

    def _decided(self, dag: Any) -> None:
        requested = _requested(dag)
        theirs = {_planned(job, job in requested): job for level in dag.toposorted() for job in _sorted(level)}
        for job, own in theirs.items():
            if own.group is not None and self.apart(job):
                own.group = ".".join([own.group, job.stage, *job.unit.values()])
        triggers = frozenset(str(trigger) for trigger in self.workflow.rerun_triggers)
        settled = set()
        for job, must_run in _or_stop(self.decide, list(theirs), triggers).items():
            if must_run and job.requested:
                dag.forcefiles.update(theirs[job].output)
            else:
                settled.add(theirs[job])
        _settle(self.workflow.persistence, settled)

    def _checked(self, dag: Any) -> None:
        running = set(dag.needrun_jobs())
        ordered = [job for level in dag.toposorted() for job in _sorted(level) if job in running]
        jobs = [_planned(job, True) for job in ordered]
        for check in self.checks:
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


def _or_stop(function: Callable[..., Any], *args: Any) -> Any:
    try:
        return function(*args)
    except PipelineError as error:
        stop(error)
    except OSError as error:
        where, advice = error.filename or "the results folder", "check permissions and disk, then start again"
        stop(PipelineError("unreadable or unwritable", where, error.strerror or error, advice))


def _planned(job: Any, requested: bool) -> PlannedJob:
    given = {name: [value] if isinstance(value, str) else value for name, value in job.input.items()}
    inputs = {name: [str(path) for path in paths] for name, paths in given.items() if paths}
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


# Planning of thousands of jobs in less time, with the same plan.


def without_commands(jobs: Iterable[Any]) -> None:
    """Leave out the shell commands of jobs that will neither run nor be printed, once one of each rule was formatted.

    Otherwise, Snakemake formats each three times to print nothing.

    Raises:
        RuleException: a command names something that its rule does not have, which one job shows as well as all.
    """
    for rule, job in {job.rule: job for job in jobs}.items():
        _ = job.shellcmd  # formats it
        rule.shellcmd = None


def check_groups_fast(dag: Any) -> None:
    """Speed up Snakemake's checks of groups, which take a minute for 1,202 shards; the result is the same.

    Snakemake follows all dependencies of each job of each group, twice, and counts a job's inputs from its own group
    whenever it checks whether the group is ready: thousands of inputs of the report, after each of thousands of jobs.
    A path that leaves a group and enters it again is a cycle once each group is taken as one job. Snakemake's own
    checks run only where there is one, to name the jobs.
    """
    merge, check, complain = dag._update_group_components, dag._check_groups, dag.validate_group
    internal: dict[Any, int] = {}

    def merge_groups() -> None:
        if _has_cycle(dag):
            for group in set(dag._group.values()):
                complain(group)
        merge()

    def check_groups() -> None:
        if _has_cycle(dag):
            check()
        internal.clear()

    def inside(job: Any, group: Any) -> int:
        if job not in internal:
            internal[job] = sum(dag._group.get(other) == group for other in dag.dependencies[job])
        return internal[job]

    def ready(job: Any) -> bool:
        group = dag._group.get(job)
        if group is None:
            return bool(dag._n_until_ready[job] == 0)
        return all(dag._n_until_ready[one] == inside(one, group) for one in group)

    dag.validate_group = lambda group: None  # all at once, in merge_groups
    dag._update_group_components, dag._check_groups, dag._ready = merge_groups, check_groups, ready


def _has_cycle(dag: Any) -> bool:
    """Whether jobs depend on one another in a circle, each group taken as one job."""
    needs: dict[Any, set[Any]] = {}
    for job in dag.jobs:
        one = dag._group.get(job, job)
        others = (dag._group.get(other, other) for other in dag.dependencies[job])
        needs.setdefault(one, set()).update(other for other in others if other is not one)
    try:
        TopologicalSorter(needs).prepare()
    except CycleError:
        return True
    return False
