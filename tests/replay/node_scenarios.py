"""The batch size that a job has chosen."""

from pathlib import Path

from tests.replay.more_scenarios import a_work_folder, captions
from tests.replay.scenarios import Facts, Scenario
from tests.replay.training import Say
from workflow_scripts.captions.recaptioning.batch_size import batch_size_of
from workflow_scripts.captions.recaptioning.shard import any_finished


def choose_batch_size(root: Path, say: Say) -> None:
    """What a job does until its batches are kept."""
    size = batch_size_of("auto", root / "work", lambda: 4)
    captions(root, lambda _: None)
    say(size)


def size_faults(root: Path, facts: Facts) -> list[str]:
    """The next attempt, which would choose another size, takes that of the batches that are kept."""
    kept = any_finished(root / "work")
    size = batch_size_of("auto", root / "work", lambda: 8)
    wrong = [f"batches of 4 and of {size}"] if kept and size != 4 else []
    return wrong + (["lost batches"] if facts and not kept else [])


def node_scenarios() -> list[Scenario]:
    """What jobs leave in their work folder."""
    return [
        Scenario("batch size chosen", a_work_folder, choose_batch_size, size_faults),
    ]
