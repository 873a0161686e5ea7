"""What a run prints on a pipe."""

import re

import pytest

from tests.workflow.checkout import CONFIG, Checkout

pytestmark = pytest.mark.slow


def test_a_run_ends_with_the_next_step_and_a_repeated_run_does_nothing(cold: Checkout) -> None:
    target = "results/tiny/eval_dataset/masks.manifest.json"
    status, printed = cold.run("-n", target, *CONFIG)
    assert status == 0 and re.search(r"^eval_dataset +1$", printed, re.MULTILINE), printed
    assert "rule eval_dataset:" in printed  # a dry run prints what Snakemake prints
    printed = cold.finish(target, *CONFIG)
    lines = printed.splitlines()
    assert lines[1] == "2 jobs of 2 stages"
    assert [line[10:].split(", ")[0] for line in lines[2:4]] == ["demo_world: 1 of 1 done", "eval_dataset: 1 of 1 done"]
    assert lines[4].startswith("done: 2 jobs in ") and len(lines) == 5
    status, printed = cold.run(target, *CONFIG)
    assert status == 0 and printed.splitlines()[1:] == [
        "Nothing to be done (all requested files are present and up to date)."
    ]
    log = cold.folder / "results/tiny/logs/eval_dataset/masks.log"
    assert "work folder: results/.work/eval_dataset/" in log.read_text()
