"""After a crash at any moment nothing wrong is accepted and nothing done is lost; no sync can be left out.

What is recorded and what must hold: ``tests/replay/*scenarios.py``; what a file system may
leave: ``tests/replay/models.py``. Of each model's states a sample is looked at, the same in every run;
``python -m tests.replay`` looks at all but those of POSIX, of which it draws more.
"""

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.replay.crashes import Crashes, recorded, scenarios
from tests.replay.models import COMPLETE
from tests.replay.recording import Synced
from tests.replay.training import Truth

PACKAGE = Path(__file__).resolve().parents[2] / "workflow_scripts"
SYNCING = (
    "sync_descriptor",
    "sync_file",
    "sync_folder",
    "sync_parents",
    "make_folders",
    "write_atomic",
    "write_durable",
    "move_atomic",
    "move_durable",
    "move_folder_durable",
)
NOT_NEEDED = {
    "claims.run": "each call writes the config that names the photos again",
    "commands.claims": "each call writes the page again",
    "core.files.code_memory": "code whose parsed form is lost or damaged is parsed again",
    "core.pinned_code": "code that is lost or damaged is refused by its hash, and the run starts again",
    "core.study_lock": "a lock is of running processes, and none outlives the machine",
    "core.sources": "a source whose stored hashes are lost or damaged is hashed again",
}
SAMPLE, AT_LEAST, SEED = 100, 1_250, 0
MOST = 30  # states of each scenario in each other model
NAMES = [one.name for one in scenarios(Truth((), Path()))]
looked_at: dict[tuple[str, str], int] = {}  # number of states by model and scenario


@pytest.fixture(scope="module")
def crashes() -> Iterator[Crashes]:
    with recorded() as found:
        yield found


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("model", [*COMPLETE, "posix"])
def test_every_state_after_a_crash_is_consistent(crashes: Crashes, name: str, model: str) -> None:
    looked_at[model, name] = 0
    for state in crashes.states(name, model, SAMPLE, SEED, most=MOST):
        looked_at[model, name] += 1
        assert crashes.faults(name, state) == [], (state.facts, sorted(state.files))


def test_enough_crash_states_were_checked() -> None:
    if len(looked_at) < len(NAMES) * (len(COMPLETE) + 1):
        pytest.skip("not all of them ran")
    numbers = {model: sum(n for (other, _), n in looked_at.items() if other == model) for model, _ in looked_at}
    sys.stdout.write(f"states after a crash: {numbers}\n")
    assert numbers["posix"] >= AT_LEAST and all(looked_at.values())


@cache
def call_sites() -> list[tuple[str, int, int, str]]:
    """Module, first and last line, and name of every call of a primitive that syncs."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        module = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        for node in ast.walk(ast.parse(path.read_bytes())):
            name = ast.unparse(node.func).rpartition(".")[2] if isinstance(node, ast.Call) else ""
            if module != "core.files.durable" and (name in SYNCING or name == "fsync"):
                found.append((module, node.lineno, node.end_lineno or node.lineno, name))
    return found


@pytest.mark.parametrize("call", call_sites(), ids=lambda call: f"{call[0]}:{call[1]}-{call[3]}")
def test_no_sync_can_be_left_out(crashes: Crashes, call: tuple[str, int, int, str]) -> None:
    module, first, last, name = call
    assert name != "fsync", f"{module}:{first} syncs without core/files/durable.py"
    if module in NOT_NEEDED:
        pytest.skip(NOT_NEEDED[module])
    sites = {
        site
        for recording in crashes.recordings.values()
        for site in recording.sites()
        if site.startswith(f"{module}:") and first <= int(site.split(":")[1].split()[0]) <= last
    }
    assert sites, "no scenario comes here"
    unnoticed = [site for site in sorted(sites) if crashes.without(site, SEED) is None]
    assert not unnoticed


def test_every_sync_is_by_a_call_that_is_tested(crashes: Crashes) -> None:
    known = {(module, line) for module, first, last, _ in call_sites() for line in range(first, last + 1)}
    seen = {one.site.split()[0] for r in crashes.recordings.values() for one in r.operations if isinstance(one, Synced)}
    assert {(site.split(":")[0], int(site.split(":")[1])) for site in seen} <= known
