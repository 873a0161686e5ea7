"""Copies of images on a node, the note that says where they are, and the batch size that a job has chosen."""

import hashlib
from pathlib import Path

from tests.helpers import make_artifact
from tests.replay.more_scenarios import a_work_folder, captions
from tests.replay.scenarios import Facts, Scenario, nothing
from tests.replay.training import Say
from workflow_scripts.captions.recaptioning.batch_size import batch_size_of
from workflow_scripts.captions.recaptioning.shard import any_finished
from workflow_scripts.core.files import durable
from workflow_scripts.core.stage_in.stage_in import note_folder, places
from workflow_scripts.core.stage_in.store import LocalStore, Wanted

CONTENT = b"images of a shard"
FOLDER = "/no such folder/of a node"


def a_shard(root: Path) -> None:
    """One whose images are to be copied."""
    make_artifact(root / "results", "download", "0", {".tar": CONTENT})


def copy_shard(root: Path) -> bytes:
    """Copy it to the node; gives the copy's bytes."""
    tar, manifest = (root / "results/study/download" / name for name in ("0.tar", "0.manifest.json"))
    wanted = Wanted(tar, manifest, hashlib.sha256(CONTENT).hexdigest(), len(CONTENT))
    store = LocalStore(root / "node", 10**6)
    store.open()
    try:
        return store.get(wanted)[0].read_bytes()
    finally:
        store.close()


def shard_faults(root: Path, facts: Facts) -> list[str]:
    """A file that is named like a copy is a whole one, though jobs compare no more than its size."""
    wrong = [path for path in root.glob("node/*.tar") if hashlib.sha256(path.read_bytes()).hexdigest() != path.stem]
    return ["an incomplete copy"] * len(wrong) + ([] if copy_shard(root) == CONTENT else ["a wrong copy"])


def note_and_copy(root: Path, say: Say) -> None:
    """What a training does before it copies anything."""
    durable._synced.clear()
    note_folder(root / "results", FOLDER)
    say("copying")


def noted_faults(root: Path, facts: Facts) -> list[str]:
    """Once copies may be there, a removal is told where."""
    noted, damaged = places(root / "results")
    known = [place.folder.parent for place in noted] == [Path(FOLDER)]
    return ["a damaged note"] * len(damaged) + ([] if known or not facts else ["unknown copies"])


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
    """What jobs leave on their node or in their work folder."""
    return [
        Scenario("shard copied", a_shard, lambda root, say: say(len(copy_shard(root))), shard_faults),
        Scenario("folder of copies noted", nothing, note_and_copy, noted_faults),
        Scenario("batch size chosen", a_work_folder, choose_batch_size, size_faults),
    ]
