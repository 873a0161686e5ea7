"""Other things that are reported as done: acceptances, notes, parts of shards, copies, removals."""

import json
import re
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import numpy as np
import pyarrow as pa
import torchvision.datasets

from tests.replay.scenarios import Facts, Killed, Scenario, nothing, trained
from tests.replay.store_scenarios import present
from tests.replay.training import Say, Truth
from workflow_scripts.audit import accept
from workflow_scripts.captions.recaptioning import shard
from workflow_scripts.core import code_equivalence as accepted
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files import durable, notes
from workflow_scripts.core.files.jsonio import digest, pretty
from workflow_scripts.embeddings.chunks import vector_chunks
from workflow_scripts.evaluation.datasets import torchvision_sets
from workflow_scripts.evaluation.datasets.registry import TORCHVISION, Torchvision
from workflow_scripts.provenance.crate import write as crate_write
from workflow_scripts.provenance.lineage import load
from workflow_scripts.removal import deletion, removal
from workflow_scripts.removal.removal import Listed
from workflow_scripts.study import active_config


def _accept(root: Path) -> None:
    with (
        mock.patch.object(accept, "code_digest", lambda *_: "edited"),
        mock.patch.object(accepted, "code_digest", lambda *_: "edited"),
    ):
        accept.accept_code(root / "results", "training", "a comment", "")


def accept_and_say(root: Path, say: Say) -> None:
    """Vouch for an edit."""
    _accept(root)
    say(("accepted",))


def accept_faults(root: Path, facts: Facts) -> list[str]:
    """An acceptance that stands is noted in the record; one that was reported stands."""
    entries = accepted.accepted(root / "results")
    wrong = ["the acceptance is lost"] if facts and not entries else []
    wrong += [] if not entries or _noted(root) else ["accepted, but the record does not say so"]
    try:
        _accept(root)
    except PipelineError as error:
        wrong += [] if entries and error.what == "nothing to accept" else [str(error)]
    stands = bool(accepted.accepted(root / "results")) and _noted(root)
    return wrong + ([] if stands else ["not accepted by a second call"])


def _noted(root: Path) -> bool:
    record = json.loads((root / "results/study/training/x.run.json").read_bytes())
    own = {key: value for key, value in record.items() if key != "self"}
    return record["self"] == digest(own) and record.get("accepted", {}).get("code") == "edited"


def note(root: Path, number: int) -> None:
    """What the workflow notes at its start."""
    durable._synced.clear()
    active_config.remember(root / "results", "study", ["config.yaml"], {"number": number})


def note_and_say(root: Path, say: Say) -> None:
    """Two starts."""
    for number in (1, 2):
        note_or_warn(root, number, say)


def note_or_warn(root: Path, number: int, say: Say) -> None:
    """A note that can't be written is a warning."""
    with mock.patch.object(active_config.log, "warning") as warning:
        note(root, number)
    if not warning.called:
        say(number)


def note_after_a_kill(root: Path, say: Say) -> None:
    """The first start is killed before its note is synced, the second has the same to note."""

    def killed(path: Path, data: bytes) -> None:
        durable.write_atomic(path, data)
        raise Killed

    with suppress(Killed), mock.patch.object(notes, "write_durable", killed):
        note(root, 1)
    note_or_warn(root, 1, say)


def note_faults(root: Path, facts: Facts) -> list[str]:
    """The last note, or the one that was being written."""
    path = root / "results/.configs/study.json"
    stands = json.loads(path.read_bytes())["config"]["number"] if path.exists() else 0
    wrong = [] if stands >= max(facts, default=0) else [f"note {max(facts)} is lost"]
    note(root, 3)
    return wrong + ([] if json.loads(path.read_bytes())["config"] == {"number": 3} else ["no note"])


def a_work_folder(root: Path) -> None:
    """An empty one."""
    (root / "work").mkdir()


def vectors(root: Path, say: Say) -> list[int]:
    """Three chunks of vectors; gives those that were computed."""
    computed: list[int] = []

    def compute(start: int, stop: int) -> np.ndarray:
        computed.append(start)
        return np.full((stop - start, 2), start + 1, np.float32)

    for rows, values in vector_chunks(6, 2, root / "work", compute, "chunks"):
        say(rows.start)
        if not (values == rows.start + 1).all():
            raise ValueError(f"wrong vectors from row {rows.start}")
    return computed


def captions(root: Path, say: Say) -> list[int]:
    """Three batches of captions; gives those that were computed."""
    computed: list[int] = []

    def batch(models: object, images: object, keys: list[str], originals: list[str]) -> pa.Table:
        for number in range(int(keys[0]) - 1):  # the one before may still be written
            say(number)
        computed.append(int(keys[0]))
        row = {name: keys[0] if name == "key" else None for name in shard.SCHEMA.names}
        return pa.Table.from_pylist([row], shard.SCHEMA)

    rows = pa.table({"key": ["0", "1", "2"], "caption": ["a", "b", "c"]})
    with (
        mock.patch.object(shard, "recaption_batch", batch),
        mock.patch.object(shard, "prepared", lambda images, cuts, prepare, workers: [[] for _ in cuts]),
    ):
        table = shard.recaption_shard(rows, None, 1, root / "work", lambda: None, 1)  # type: ignore[arg-type, return-value]
    for number in range(3):
        say(number)
    if table["key"].to_pylist() != ["0", "1", "2"]:
        raise ValueError("wrong captions")
    return computed


def resumes(act: Callable[[Path, Say], list[int]]) -> Callable[[Path, Facts], list[str]]:
    """What was kept is not computed again."""

    def faults(root: Path, facts: Facts) -> list[str]:
        lost = set(facts) & set(act(root, lambda _: None))
        return [f"lost parts {sorted(lost)}"] if lost else []

    return faults


def two_sets(root: Path) -> None:
    """A crate that is there already."""
    (root / "study/crate").mkdir(parents=True)
    (root / "study/crate/README.md").write_text("old")
    (root / "page.html").write_text("page")


def write_copies(root: Path, say: Say) -> None:
    """Fetch a downstream set and write a crate."""

    def reader(root: str, download: bool) -> None:
        Path(root, "images").write_text("images")

    small = replace(TORCHVISION["cifar10"], name="small", layout=Torchvision("Small", {"train": {}}))
    with (
        mock.patch.dict(TORCHVISION, {"small": small}),
        mock.patch.object(torchvision.datasets, "Small", reader, create=True),
    ):
        if not (root / "set").exists():
            torchvision_sets.download("small", root / "set")
            say("set")
    page = (root / "page.html", sha256(b"page").hexdigest())
    crate = ({"of": "the study"}, {"Snakefile": page})
    nodes = [SimpleNamespace(study=root / "study", path="x", label="x", hash="0" * 64)]
    made = {"load": lambda _: [], "behind_report": lambda _: nodes, "describe": lambda *_: crate}
    with mock.patch.multiple(crate_write, check_made=lambda *_: None, **made):
        crate_write.write_crate(root / "study", "", 1.0, {})
    say("crate")


def copy_faults(root: Path, facts: Facts) -> list[str]:
    """The set is complete or absent; the crate is the old one, the new one or absent."""
    wrong = []
    if (root / "set").exists() or "set" in facts:
        path = root / "set/images"
        wrong += [] if path.exists() and path.read_text() == "images" else ["an incomplete set"]
    crate = root / "study/crate"
    texts = {path.name: path.read_bytes() for path in crate.glob("*")}
    old = {"README.md": b"old"}
    metadata = {crate_write.METADATA: pretty({"of": "the study"})}
    new = {"README.md": crate_write.README_TEXT, "Snakefile": b"page", **metadata}
    if texts not in ([new] if "crate" in facts else [old, new]) and (crate.exists() or "crate" in facts):
        wrong.append(f"a crate of {texts}")
    write_copies(root, lambda _: None)
    return wrong


MARKS = ("log", "stray", "crate", "work", "aside", "index")


def rows_to_remove(root: Path) -> None:
    """A study, and traces of it in many places."""
    trained("a")(root)
    results = root / "results"
    key, random = "5a" * 32, "0f" * 16
    places = ["study/logs/pretrain/x.log", "study/pretrain/x/last.safetensors", "study/crate/Snakefile"]
    places += [f".work/training/{key}/part", f".cache/training/.discarded-{random}/file"]
    places += [f".browse/study/{key}/about.json"]
    for mark, place in zip(MARKS, places, strict=True):
        path = results / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"trace in {mark}")
        path.chmod(0o444 if mark == "stray" else 0o644)


def remove_rows(root: Path, say: Say) -> None:
    """The steps of `faithful-pairs remove`, where the stage of these tests is one of the workflow."""
    files = defaultdict(lambda: re.compile("x[./].*"), pretrain=re.compile(".*"))
    with mock.patch.object(deletion, "is_artifact_file", lambda stage, file: files[stage].fullmatch(file)):
        steps_of_removal(root / "results", say)


def steps_of_removal(results: Path, say: Say) -> None:
    """The steps, each of which says what is gone."""
    mine = [one for one in load(results) if one.study]
    removal._remove_logs(results, "study", Listed(captions={"trace in log"}), set())
    say("trace in log")
    removal._remove_folders(results, set())
    say("trace in work")
    say("trace in aside")
    removal._remove_indexes(results, set())
    say("trace in index")
    removal._remove_strays(results, "study", mine)
    say("trace in stray")
    removal._remove_crates(results, "study", set())
    say("trace in crate")
    removal._remove_artifacts(results, mine)
    removal._discard(results, [one for one in load(results) if not one.study])
    say("a" * 8)


def removal_scenario(truth: Truth) -> Scenario:
    """What was reported as removed does not come back, and no manifest outlives its files."""

    def faults(root: Path, facts: Facts) -> list[str]:
        wrong = truth.accepted(root / "results")[1]
        return wrong + [one for fact in facts for one in present(root, fact.encode())]

    return Scenario("rows removed", rows_to_remove, remove_rows, faults)


def more_scenarios(truth: Truth) -> list[Scenario]:
    """All but artifacts and fetched bytes."""
    return [
        Scenario("edit accepted", trained("a"), accept_and_say, accept_faults),
        Scenario("config noted", nothing, note_and_say, note_faults),
        Scenario("config noted after a kill", nothing, note_after_a_kill, note_faults),
        Scenario("vectors in chunks", a_work_folder, vectors, resumes(vectors)),  # type: ignore[arg-type]
        Scenario("captions in batches", a_work_folder, captions, resumes(captions)),  # type: ignore[arg-type]
        Scenario("folders replaced", two_sets, write_copies, copy_faults),
        removal_scenario(truth),
    ]
