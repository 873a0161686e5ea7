"""Commands of ``make check`` find what is incomplete or out of date, and edits of figures recompute nothing."""

import json
from pathlib import Path

import pytest

from tests.extending.page import copy_project, python
from tests.forkserver.environment import ForkServers

CHECK = ("-m", "workflow_scripts.study.reference", "--check")
DIGESTS = """
import json
from workflow_scripts.core.digest import code_digest
from workflow_scripts.study.config.stages import stage_names
print(json.dumps({name: code_digest(name) for name in stage_names()}))
"""
FEW_SHOT = "workflow_scripts/stages/few_shot.py"


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_project(tmp_path_factory.mktemp("project") / "copy")


def edit(copy: Path, name: str, old: str, new: str) -> str:
    """Replace the first ``old`` in a file; gives the file's text before."""
    before = (copy / name).read_text()
    assert old in before
    (copy / name).write_text(before.replace(old, new, 1))
    return before


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("workflow_scripts/models/backbones.py", "            forward_gflop=3.6,\n", "", "'forward_gflop'"),
        ("workflow_scripts/pretraining/methods/simclr.py", "    passes=2,\n", "", "'passes'"),
        ("workflow_scripts/pretraining/methods/simclr.py", "METHOD = ", "OTHER = [] and ", "it defines none"),
        (FEW_SHOT, "Episodes per dataset.", "More.", "docs/config.schema.json is out of date"),
        (FEW_SHOT, "core_ms=0.15", "core_ms=0.25", "docs/cost.md is out of date; run: make docs"),
    ],
)
def test_incomplete_entries_and_outdated_pages_fail_the_check(
    copy: Path, servers: ForkServers, name: str, old: str, new: str, message: str
) -> None:
    before = edit(copy, name, old, new)
    ran = python(servers, copy, *CHECK)
    (copy / name).write_text(before)
    assert ran.returncode == 1 and message in ran.stderr, ran.stderr


def test_edits_of_figures_and_wording_leave_every_digest(copy: Path, servers: ForkServers) -> None:
    digests = json.loads(python(servers, copy, "-c", DIGESTS).stdout)
    shared = "workflow_scripts/evaluation/facts.py"
    edits = [
        (FEW_SHOT, "core_ms=0.15", "core_ms=0.25"),
        (FEW_SHOT, "Episodes per dataset.", "Number of episodes."),
        (FEW_SHOT, "published=True", "published=False"),
        (shared, "memory_mb=8_000", "memory_mb=9_000"),
        (shared, "Tolerance(0.01, 0.01,", "Tolerance(0.02, 0.05,"),
        (shared, "disk=lambda _: 2e6", "disk=lambda load: 3e6 * load.labelled"),
        ("workflow_scripts/models/backbones.py", "forward_gflop=8.2", "forward_gflop=8.3"),
        ("workflow_scripts/evaluation/datasets/registry.py", "not stated; photos", "unknown; photos"),
    ]
    for file, old, new in edits:
        edit(copy, file, old, new)
    assert json.loads(python(servers, copy, "-c", DIGESTS).stdout) == digests
    edit(copy, FEW_SHOT, "5000, unit", "6000, unit")
    changed = json.loads(python(servers, copy, "-c", DIGESTS).stdout)
    assert {name for name in digests if changed[name] != digests[name]} == {"few_shot"}
