"""A thousand rows of a bad web, killed at ten moments: the same bytes, all rows there, nothing requested twice."""

import hashlib
import json
import os
import random
import signal
import threading
from collections import Counter
from dataclasses import replace
from multiprocessing import get_context
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import Any
from unittest import mock
from zipfile import ZipFile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.acquisition.fault_server import FaultServer, Handler, Route, serving
from tests.acquisition.faults import later, mixture, patient
from tests.acquisition.zips import row, write_zip
from tests.helpers import run
from workflow_scripts.acquisition.shards import packing
from workflow_scripts.acquisition.states import State
from workflow_scripts.acquisition.store.record import Record
from workflow_scripts.core.artifact import MANIFEST, Artifact
from workflow_scripts.stages import annotations, download, shard_plan

FORK = get_context("fork")
ROWS, FAULTY, KILLS = 1000, 0.3, 10
HOSTS = ("a.test", "b.test", "c.test")
SETTINGS: dict[str, Any] = {
    "backoff": 0.01,
    "attempts": 2,
    "deadline": 60.0,
    "max_bytes": 100_000,
    "max_pixels": 1_000_000,
    "max_side": 64,
    "hosts": {"default": {"rate": 2000, "connections": 24}},
}
Table = dict[str, tuple[Route, str]]


def url(number: int, path: str) -> str:
    return f"http://{HOSTS[number % len(HOSTS)]}{path}"


def annotation_zip(folder: Path, table: Table) -> Path:
    """Rows of three files, one per path of the server."""
    files: dict[str, list[Any]] = {"pics_2019": [], "pics_2020": [], "woof_2020": []}
    for number, path in enumerate(table):
        name = list(files)[number * 7 // len(table) % 3 if number % 3 else 0]
        files[name].append(row(f"r{number:04d}", url=url(number, path), subreddit=name.partition("_")[0]))
    return write_zip(folder / "annotations.zip", files)


class Study:
    """Annotations, plan and downloads below one results folder."""

    def __init__(self, results: Path, source: Path, site: FaultServer) -> None:
        results.mkdir(exist_ok=True)
        self.results, self.site = results, site
        self.rows = run(annotations.STAGE, results, "annotations/rows", {}, sources={"annotations": source})

    def plan(self, shards: int, size: int) -> None:
        wanted = {"shards": shards, "rows_per_shard": size}
        inputs = {"annotations": self.rows.manifest_path}
        self.shards = shards
        self.made = run(shard_plan.STAGE, self.results, "shard_plan/plan", wanted, inputs)

    def settings(self, **changed: Any) -> dict[str, Any]:
        return {**SETTINGS, "connect_to": dict.fromkeys(HOSTS, self.site.address), **changed}

    def shard(self, number: int, **changed: Any) -> Artifact:
        name = f"{number:05d}"
        inputs = {"plan": self.made.manifest_path}
        settings = self.settings(**changed)
        return run(
            download.STAGE,
            self.results,
            f"download/{name}",
            settings,
            inputs,
            {"shard": name},
            options=["--workers", "2"],
        )

    def all(self, **changed: Any) -> list[Artifact]:
        return [self.shard(number, **changed) for number in range(self.shards)]

    def started(self, number: int, packs: bool) -> ForkProcess:
        """The shard in a process of its own, which dies when it has packed an image unless it ``packs``."""
        add = packing._add_sample

        def add_and_die(*given: Any) -> Any:
            add(*given)
            os.kill(os.getpid(), signal.SIGKILL)

        def work() -> None:
            with mock.patch.object(packing, "_add_sample", add if packs else add_and_die):
                self.shard(number)

        process = FORK.Process(target=work)
        process.start()
        return process


class Killer:
    """Kills a job at given numbers of requests, before it has the answer to the last of them.

    Attributes:
        moments: those to come; it takes no notice of 0.
        process: of the job.
    """

    def __init__(self, moments: list[int]) -> None:
        self.moments = moments
        self.process: ForkProcess | None = None
        self._lock = threading.Lock()

    def routes(self, routes: dict[str, Route]) -> dict[str, Route]:
        """The same routes, which look for the moment first."""
        return {path: self._watched(route) for path, route in routes.items()}

    def _watched(self, route: Route) -> Route:
        def answer(handler: Handler, attempt: int) -> None:
            with self._lock:
                if self.process and self.moments and len(handler.site.log) >= self.moments[0] > 0:
                    self.moments.pop(0)
                    process, self.process = self.process, None  # once it is dead, another one may stand here
                    process.kill()
            handler.send(route) if isinstance(route, bytes) else route(handler, attempt)

        return answer


def hashes(artifact: Artifact) -> dict[str, str]:
    return {one: hashlib.sha256(artifact.path(one).read_bytes()).hexdigest() for one in artifact.suffixes}


def table_of(shards: list[Artifact]) -> list[dict[str, Any]]:
    return pa.concat_tables([pq.read_table(shard.path(".parquet")) for shard in shards]).to_pylist()


def asked_since(site: FaultServer, before: int) -> Counter[str]:
    return Counter(path for _, _, path in site.log[before:])


def kill_on_the_way(study: Study, killer: Killer) -> int:
    """Run the shards and kill the job at each moment: so many requests, or (0) a tar begun. Gives the kills."""
    killed, number = 0, 0
    while number < study.shards:
        packs = not killer.moments or killer.moments[0] > 0
        process = killer.process = study.started(number, packs)
        process.join()
        assert process.exitcode in (0, -signal.SIGKILL)
        if process.exitcode == 0:
            number += 1
        else:
            killed += 1
            assert not (study.results / "study" / "download" / f"{number:05d}{MANIFEST}").exists()
            if not packs:
                killer.moments.pop(0)
    return killed


@pytest.mark.slow
def test_a_download_killed_ten_times_gives_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table: Table = mixture(ROWS - len(later()), FAULTY) | {path: one[:2] for path, one in later().items()}
    assert len(table) == ROWS
    source = annotation_zip(tmp_path, table)
    routes = {path: route for path, (route, _) in table.items()}
    more = {f"/new{number}.jpg": routes["/good.jpg"] for number in range(30)}
    with serving(routes) as site, patient():
        undisturbed = Study(tmp_path / "undisturbed", source, site)
        undisturbed.plan(4, 750)
        expected = undisturbed.all()
    moments = sorted(random.Random(5).sample(range(20, 1050), KILLS - 2))
    killer = Killer([*moments[:3], 0, *moments[3:6], 0, *moments[6:]])
    with serving(killer.routes(routes | more)) as site, patient():
        study = Study(tmp_path / "killed", source, site)
        study.plan(4, 750)
        assert kill_on_the_way(study, killer) == KILLS
        shards = study.all()
        check_the_same(shards, expected, table)
        rows = table_of(shards)
        check_another_subreddit(study, tmp_path, table, more, shards)
        check_nothing_is_asked(study, monkeypatch, rows)
        check_second_round(study, rows)


def check_the_same(shards: list[Artifact], expected: list[Artifact], table: Table) -> None:
    """Every row is there in its state, and each file has the bytes of the undisturbed run."""
    states = {url(number, path): state for number, (path, (_, state)) in enumerate(table.items())}
    for made in (expected, shards):
        rows = table_of(made)
        assert {one["url"]: one["state"] for one in rows} == states and len(rows) == ROWS
    assert [hashes(one) for one in shards] == [hashes(one) for one in expected]
    assert [one.hash for one in shards] == [one.hash for one in expected]
    assert sum(one.rows["in"] for one in shards) == ROWS
    assert sum(one.rows["out"] for one in shards) == sum(state == "ok" for state in states.values())


def check_another_subreddit(
    study: Study, folder: Path, table: Table, more: dict[str, Route], before: list[Artifact]
) -> None:
    """Only its own URLs are requested, and the others' shards are the same ones under other numbers."""
    source = annotation_zip(folder, table)
    new = [row(f"n{number}", url=f"http://a.test{path}", subreddit="aaa") for number, path in enumerate(more)]
    with ZipFile(source, "a") as archive:  # first by name, so that all numbers of shards move
        archive.writestr("annotations/aaa_2020.json", json.dumps({"info": {}, "annotations": new}))
    start = len(study.site.log)
    wider = Study(study.results, source, study.site)
    wider.plan(5, 750)
    shards = wider.all()
    assert asked_since(study.site, start) == Counter(dict.fromkeys(more, 1))
    used = [one.hash for one in before if one.rows["in"]]
    assert [one.hash for one in shards][1 : 1 + len(used)] == used
    study.made, study.shards, study.rows = wider.made, wider.shards, wider.rows


def check_nothing_is_asked(study: Study, monkeypatch: pytest.MonkeyPatch, rows: list[dict[str, Any]]) -> None:
    """The packer edited, another size of shards, other image settings: no request at all, and the same rows."""
    start = len(study.site.log)
    with monkeypatch.context() as edited:
        edited.setattr(download, "STAGE", replace(download.STAGE, format=(download.STAGE.format or 0) + 1))
        packed = study.all()
    assert all(
        not json.loads(one.manifest_path.with_name(f"{one.name}.run.json").read_bytes())["cached"] for one in packed
    )
    study.plan(9, 250)
    images = {one["key"]: one["sha256"] for one in rows}
    again = {one["key"]: one["sha256"] for one in table_of(study.all())}
    assert {key: again[key] for key in images} == images
    study.all(jpeg_quality=70, max_side=32)
    assert not asked_since(study.site, start)


def check_second_round(study: Study, rows: list[dict[str, Any]]) -> None:
    """It asks for what may end better, and for nothing else; what was gone for good stays."""
    may_pass = {one["url"] for one in rows if Record(one["url"], State(one["state"]), one["http_status"]).may_pass}
    study.plan(5, 750)
    start, study.site.era = len(study.site.log), 2
    shards = study.all(rounds=2)
    asked = {f"http://{host}{path}" for _, host, path in study.site.log[start:]}
    assert asked == may_pass and may_pass
    states = {one["url"].partition(".test")[2]: one["state"] for one in table_of(shards)}
    assert {path: states[path] for path in later()} == {path: second for path, (_, _, second) in later().items()}
    start = len(study.site.log)
    study.all(rounds=2, max_side=48)
    assert not asked_since(study.site, start)
