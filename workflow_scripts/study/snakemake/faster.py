"""Makes Snakemake plan thousands of jobs in less time, with the same plan."""

from collections.abc import Iterable
from graphlib import CycleError, TopologicalSorter
from typing import Any


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
