"""Snakemake does less per job, and gets the same answers."""

import gc
import inspect
import weakref
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

import pytest
from snakemake.resources import Resource

from workflow_scripts.study.snakemake.faster import read_signatures_once, without_commands
from workflow_scripts.study.snakemake.internals import SIGNATURE, SIGNATURE_MODULES

Read = Callable[[Callable[..., Any]], Any]


class Counter:
    """Counts what it reads."""

    def __init__(self) -> None:
        self.read: list[Any] = []

    def __call__(self, function: Callable[..., Any]) -> Any:
        self.read.append(function)
        return inspect.signature(function).parameters


@pytest.fixture
def counter(monkeypatch: pytest.MonkeyPatch) -> Counter:
    """Stands for Snakemake's own function, which is there again after the test."""
    counter = Counter()
    for name in SIGNATURE_MODULES:
        monkeypatch.setattr(import_module(name), SIGNATURE, counter)
    read_signatures_once()
    return counter


def memory(wildcards: str, attempt: int) -> int:
    return len(wildcards) * attempt


def test_parameters_are_those_of_the_function_and_read_once(counter: Counter) -> None:
    first, second = Resource("mem_mb", memory), Resource("runtime", 3)
    reads: list[Read] = [getattr(import_module(name), SIGNATURE) for name in SIGNATURE_MODULES]
    for _ in range(3):
        for read in reads:
            assert list(read(memory)) == ["wildcards", "attempt"]
            for resource in (first, second):
                assert list(read(resource.evaluate)) == ["args", "kwargs"]
            assert list(read(Resource.evaluate)) == ["self", "args", "kwargs"]
    assert counter.read == [memory, first.evaluate, Resource.evaluate]


def test_a_second_workflow_of_the_process_replaces_nothing(counter: Counter) -> None:
    modules = [import_module(name) for name in SIGNATURE_MODULES]
    before = [getattr(one, SIGNATURE) for one in modules]
    read_signatures_once()
    assert [getattr(one, SIGNATURE) for one in modules] == before
    assert counter not in before


def test_cached_signatures_do_not_keep_functions_alive(counter: Counter) -> None:
    def own(wildcards: str) -> str:
        return wildcards

    read: Read = getattr(import_module(SIGNATURE_MODULES[0]), SIGNATURE)
    read(own)
    counter.read.clear()
    gone = weakref.ref(own)
    del own
    gc.collect()
    assert gone() is None


def test_signatures_of_other_callables_are_not_cached(counter: Counter) -> None:
    read: Read = getattr(import_module(SIGNATURE_MODULES[0]), SIGNATURE)
    called = partial(memory, "x")
    assert list(read(called)) == list(read(called)) == ["attempt"]
    assert counter.read == [called, called]


def test_snakemake_calls_the_replaced_signature_function(counter: Counter) -> None:
    from snakemake.common import get_input_function_aux_params

    assert get_input_function_aux_params(memory, {"attempt": 2, "threads": 1}) == {"attempt": 2}
    assert Resource("mem_mb", memory).evaluate("abc", attempt=2, threads=1).value == 6
    assert memory in counter.read


class Rule:
    """A rule with a command."""

    def __init__(self, command: str) -> None:
        self.shellcmd: str | None = command


class Job:
    """A job that formats the command of its rule."""

    def __init__(self, rule: Rule) -> None:
        self.rule, self.formatted = rule, 0

    @property
    def shellcmd(self) -> str | None:
        self.formatted += 1
        return self.rule.shellcmd and self.rule.shellcmd.format(output="x")


def test_commands_of_planned_rules_are_formatted_once_and_dropped() -> None:
    planned, another, other = Rule("touch {output}"), Rule("true"), Rule("false")
    jobs = [Job(planned), Job(planned), Job(another)]
    without_commands(jobs)
    assert sum(job.formatted for job in jobs[:2]) == jobs[2].formatted == 1
    assert planned.shellcmd is another.shellcmd is None
    assert other.shellcmd == "false"


def test_a_command_with_an_unknown_name_is_an_error() -> None:
    with pytest.raises(KeyError, match="outptu"):
        without_commands([Job(Rule("true")), Job(Rule("touch {outptu}"))])
