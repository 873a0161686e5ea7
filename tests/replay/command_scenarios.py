"""What commands write for people, and the parts of scores: sheets for ratings, pages, indexes, locks of configs."""

import io
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np
import pyarrow as pa

from tests.replay.more_scenarios import a_work_folder, resumes
from tests.replay.scenarios import Facts, Scenario, nothing
from tests.replay.training import Say
from workflow_scripts.browse import build
from workflow_scripts.captions import scores
from workflow_scripts.commands import browse, label, lock
from workflow_scripts.core.files import durable
from workflow_scripts.core.files.copies import NETWORKS, NetworkRecord, read_network, record_network
from workflow_scripts.export.folder import fault_of, replace_folder
from workflow_scripts.study.config import files, study
from workflow_scripts.study.config import lock as locks
from workflow_scripts.study.config.lock import Lock, read_lock

MODEL = "someone/model@main"


def scored(root: Path, say: Say) -> list[int]:
    """Three parts of scores; gives those that were computed."""
    computed: list[int] = []

    def part(*given: Any) -> list[pa.Table]:
        ((cut, _),) = given[5]
        number = cut.start
        for done in range(number):
            say(done)
        computed.append(number)
        row = {name: str(number) if name == "key" else None for name in scores.schema(["itm"]).names}
        return [pa.Table.from_pylist([row], scores.schema(["itm"]))]

    rows = np.arange(3)
    whole = scores.Scored(None, rows, list("012"), [["a"] * 3], [root / "work"])  # type: ignore[arg-type]

    def read(judge: object, given: object, cuts: list[slice]) -> Iterator[tuple[slice, None]]:
        return ((cut, None) for cut in cuts)

    with mock.patch.multiple(scores, _part=part, _sample=lambda *_: (), _read=read, BATCHES=1):
        (table,) = scores.score_captions(whole, scores.Comparison(rows, 1, 0), ["itm"], 1, lambda: None)  # type: ignore[arg-type, return-value]
    if table["key"].to_pylist() != list("012"):
        raise ValueError("wrong scores")
    return computed


def write_sheet(root: Path, say: Say) -> None:
    """A sheet and its key."""
    durable._synced.clear()
    folder = root / "study/labels"
    label._write(folder / "sheet.html", b"page", folder / "sheet.html.key.csv", b"key")
    say("written")


def sheet_faults(root: Path, facts: Facts) -> list[str]:
    """A sheet has its key, and both stay once they were reported."""
    sheet, key = (root / "study/labels" / name for name in ("sheet.html", "sheet.html.key.csv"))
    wrong = []
    if sheet.exists() or facts:
        wrong += [] if sheet.exists() and sheet.read_bytes() == b"page" else ["no whole sheet"]
        wrong += [] if key.exists() and key.read_bytes() == b"key" else ["a sheet without its key"]
    return wrong


def export_page(root: Path, say: Say) -> None:
    """A page outside the study, and its record."""
    durable._synced.clear()
    browse._write(root / "study", root / "paper/page.html", b"page", ["k1"])
    say("written")


def page_faults(root: Path, facts: Facts) -> list[str]:
    """A page has its record, and both stay once they were reported."""
    page, records = root / "paper/page.html", list((root / "study/copies").glob("*.csv"))
    wrong = []
    if page.exists() or facts:
        wrong += [] if page.exists() and page.read_bytes() == b"page" else ["no whole page"]
        wrong += [] if [b",k1\n" in path.read_bytes() for path in records] == [True] else ["a page without its record"]
    return wrong


def export_network(root: Path, say: Say) -> None:
    """A network in a folder outside the study, and its record."""
    durable._synced.clear()
    record_network(root / "study", NetworkRecord(root / "given/network", "0" * 64, ["k1"]))
    replace_folder(root / "given/network", lambda part: (part / "weights").write_bytes(b"weights") and None)
    say("written")


def network_faults(root: Path, facts: Facts) -> list[str]:
    """A network is whole and has its record, and both stay once they were reported."""
    folder, records = root / "given/network", list((root / "study/copies").glob(f"*{NETWORKS}"))
    wrong = []
    if folder.exists() or facts:
        wrong += [] if folder.exists() and fault_of(folder) is None else ["no whole network"]
        wrong += [] if [read_network(path).keys for path in records] == [["k1"]] else ["a network without its record"]
    return wrong


def build_index(root: Path, say: Say) -> None:
    """An index of two files."""
    durable._synced.clear()

    def write(_: object, folder: Path) -> None:
        (folder / "about.json").write_bytes(b"about")
        (folder / "index.sqlite").write_bytes(b"tables")

    with mock.patch.object(build, "build", write):
        build.index_of(SimpleNamespace(study=root / "study", key="key"))  # type: ignore[arg-type]
    say("built")


def index_faults(root: Path, facts: Facts) -> list[str]:
    """An index under its own name is whole, and stays once it was reported."""
    index = root / ".browse/study/key"
    if not (index.exists() or facts):
        return []
    found = {path.name: path.read_bytes() for path in index.glob("*")}
    return [] if found == {"about.json": b"about", "index.sqlite": b"tables"} else [f"an index of {sorted(found)}"]


def lock_config(root: Path, number: int) -> None:
    """Lock a config whose model has the commit ``number``."""
    config = SimpleNamespace(lock_file=root / "mine.lock.yaml", root=None)
    now = Lock(hub={MODEL: str(number) * 40}, urls={})
    with (
        mock.patch.object(files, "read_config", lambda _: config),
        mock.patch.object(study, "checked_study", lambda _: None),
        mock.patch.object(locks, "resolve", lambda *_: now),
        redirect_stdout(io.StringIO()),
    ):
        lock.command()


def lock_and_say(root: Path, say: Say) -> None:
    """Two commits, one after the other."""
    for number in (1, 2):
        lock_config(root, number)
        say(number)


def lock_faults(root: Path, facts: Facts) -> list[str]:
    """The last commit that was reported, or the one that was being written."""
    found = read_lock(root / "mine.lock.yaml")
    stands = int(found.hub[MODEL][0]) if found else 0
    return [] if stands >= max(facts, default=0) else [f"commit {max(facts)} is lost"]


def command_scenarios() -> list[Scenario]:
    """Sheets, pages, indexes, locks and parts of scores."""
    return [
        Scenario("scores in parts", a_work_folder, scored, resumes(scored)),  # type: ignore[arg-type]
        Scenario("sheet for ratings", nothing, write_sheet, sheet_faults),
        Scenario("page exported", nothing, export_page, page_faults),
        Scenario("network exported", nothing, export_network, network_faults),
        Scenario("index of the browser", nothing, build_index, index_faults),
        Scenario("config locked", nothing, lock_and_say, lock_faults),
    ]
