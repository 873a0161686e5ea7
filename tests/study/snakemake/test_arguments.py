"""Which artifacts a process may make in turn."""

from types import SimpleNamespace

import pytest

from workflow_scripts.study.snakemake.arguments import Turns, ranges
from workflow_scripts.study.units import PlannedJob


@pytest.mark.parametrize(
    ("values", "short"),
    [
        ([], ""),
        (["007"], "007"),
        (["000", "001", "002"], "000..002"),
        (["008", "009", "010", "12", "14"], "008..010,12,14"),
    ],
)
def test_consecutive_numbers_are_written_as_ranges(values: list[str], short: str) -> None:
    assert ranges(values) == short


def test_cluster_jobs_process_their_targets_and_other_jobs_what_is_planned() -> None:
    targets = [
        SimpleNamespace(rulename=rule, wildcards_dict={"shard": f"{n:02d}"})
        for rule, n in (("a", 5), ("a", 4), ("b", 9))
    ]
    turns = Turns(SimpleNamespace(dag_settings=SimpleNamespace(target_jobs=targets)))
    assert turns.argument("a", "shard") == "shard=04..05"
    turns.plan([PlannedJob("a", {"shard": "07"}, {}, [], True), PlannedJob("b", {"arm": "x"}, {}, [], True)], True)
    assert turns.argument("a", "shard") == "shard=07"
    assert turns.argument("c", "shard") == "shard="
    turns.plan([PlannedJob("a", {"shard": "08"}, {}, [], True)], True)
    assert turns.argument("a", "shard") == "shard=08"
