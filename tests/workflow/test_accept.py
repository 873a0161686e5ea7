"""An accepted edit on the small study, as an ordinary user: only the report is recomputed."""

import json
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.workflow.checkout import Checkout, as_user, now

pytestmark = pytest.mark.slow


def test_after_accept_only_the_report_runs_and_then_nothing(copy_of: Callable[[], Checkout]) -> None:
    checkout = copy_of()
    before = checkout.hashes()
    checkout.edit(
        "workflow_scripts/pretraining/training/trainer.py", "\nimport torch\n", "\nimport torch\n\nEQUAL = 1\n"
    )
    words = ("-m", "workflow_scripts.commands", "accept", "pretrain", "--reason", "no effect")
    command = [*as_user(), sys.executable, *words]
    subprocess.run(command, cwd=checkout.folder, env=checkout.environment(), check=True)
    start = now()
    checkout.finish()
    records = checkout.records(start)
    assert set(records) == {"report/index"}
    changed = {name for name, value in checkout.hashes().items() if before.get(name) != value}
    assert changed == {"results/tiny/report/index.html", "results/tiny/report/index.manifest.json"}
    assert "no effect" in (checkout.folder / "results/tiny/report/index.html").read_text()
    record = json.loads(next((checkout.folder / "results/tiny/pretrain").glob("*.run.json")).read_bytes())
    assert record["accepted"]["reason"] == "no effect"
    assert "Nothing to be done" in checkout.run()[1]
