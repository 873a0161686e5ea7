"""Damaged and absurd inputs of every kind: none may end in a traceback, take long, or need much memory.

``python -m tests.fuzz --inputs 500000`` is the long form of this test.
"""

import random
from pathlib import Path
from typing import Any

import pytest

from tests.fuzz import worker
from tests.fuzz.campaign import FAULTS_KEPT, campaign, shares
from tests.fuzz.target import Files, Target
from tests.fuzz.targets import SHARES, load
from tests.fuzz.worker import attempt, input_of
from workflow_scripts.core.errors import PipelineError

INPUTS = 8_000
COUNTS = shares(INPUTS)


@pytest.mark.parametrize("kind", SHARES)
def test_fuzzed_inputs_end_in_a_result_or_a_plain_error(kind: str) -> None:
    found = campaign({kind: COUNTS[kind]}, seed=0, jobs=1)[kind]
    told = [
        f"{kind}:0:{number} (python -m tests.fuzz --replay {kind}:0:{number})\n{fault}"
        for number, fault in found.faults.items()
    ]
    assert not told, "\n".join(told)
    assert found.outcomes.total() == COUNTS[kind] and found.peak < worker.RESIDENT
    assert found.outcomes.keys() >= load(kind).kinds


def test_the_kinds_share_all_inputs() -> None:
    assert INPUTS <= sum(COUNTS.values()) < INPUTS + len(SHARES)
    assert shares(10, ["images"]) == {"images": 10}


@pytest.mark.parametrize("kind", SHARES)
def test_a_fuzz_input_is_reproducible_from_its_number(kind: str) -> None:
    target = load(kind)
    assert [input_of(target, kind, 3, number) for number in range(5)] == [
        input_of(load(kind), kind, 3, number) for number in range(5)
    ]
    assert input_of(target, kind, 3, 0) != input_of(target, kind, 4, 0)


class Planted(Target):
    """A reader that fails in a known way."""

    def __init__(self, fault: Any) -> None:
        self._fault = fault

    def make(self, rng: random.Random) -> Files:
        return {"a/b": b"x"}

    def run(self, folder: Path) -> str:
        assert (folder / "a/b").read_bytes() == b"x"
        self._fault()
        return "accepted"


def test_the_fuzzer_detects_every_kind_of_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def endless() -> None:
        while True:
            pass

    def vague() -> None:
        raise PipelineError("wrong", "file", 1, "")

    monkeypatch.setattr(worker, "CPU_SECONDS", 0.05)
    worker.signal.signal(worker.signal.SIGVTALRM, worker._too_slow)
    files = {"a/b": b"x"}
    seen = {}
    for fault in (lambda: None, lambda: int("x"), endless, vague, lambda: exec("raise MemoryError")):
        outcome, text = attempt(Planted(fault), files, tmp_path / "input")
        seen[outcome] = text
    assert seen["accepted"] is None
    assert "MemoryError" in str(seen["traceback"]) and "more than 0.05 s" in str(seen["slow"])
    assert "says nothing as advice" in str(seen["refused"])


def test_a_dying_worker_is_attributed_to_its_input(monkeypatch: pytest.MonkeyPatch) -> None:
    deadly = campaign({"deadly": 6}, seed=0, jobs=1)["deadly"]
    assert {number: fault.splitlines()[0] for number, fault in deadly.faults.items()} == {
        2: "the process died with status -9",
        4: "the process died with status -9",
    }
    assert deadly.outcomes["accepted"] >= 1 and FAULTS_KEPT >= 2
