"""Two thousand rows of a bad web, killed at ten moments: the same bytes, all rows there, nothing requested twice."""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.acquisition.fault_server import FaultServer, Route, serving
from tests.acquisition.faults import later, mixture
from tests.acquisition.zips import row, write_zip
from tests.helpers import run
from workflow_scripts.acquisition.shards.states import State
from workflow_scripts.acquisition.store.record import Record
from workflow_scripts.core.artifact import MANIFEST, Artifact
from workflow_scripts.stages import annotations, download, shard_plan

ROWS, FAULTY, KILLS = 2000, 0.3, 10
HOSTS = ("a.test", "b.test", "c.test")
SETTINGS: dict[str, Any] = {
    **{"backoff": 0.01, "attempts": 2, "deadline": 2.5, "max_redirects": 3, "max_bytes": 100_000},
    **{"max_pixels": 1_000_000, "max_side": 64, "hosts": {"default": {"rate": 2000, "connections": 24}}},
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

    def started(self, number: int) -> subprocess.Popen[bytes]:
        argv = [sys.executable, "-m", "workflow_scripts.stages.download", "--device", "cpu"]
        argv += [
            "--unit",
            f"shard={number:05d}",
            "--artifact",
            str(self.results / "study" / "download" / f"{number:05d}"),
        ]
        argv += ["--input", f"plan={self.made.manifest_path}", "--settings", json.dumps(self.settings())]
        return subprocess.Popen(argv, start_new_session=True, stderr=subprocess.DEVNULL)


def hashes(artifact: Artifact) -> dict[str, str]:
    return {one: hashlib.sha256(artifact.path(one).read_bytes()).hexdigest() for one in artifact.suffixes}


def table_of(shards: list[Artifact]) -> list[dict[str, Any]]:
    return pa.concat_tables([pq.read_table(shard.path(".parquet")) for shard in shards]).to_pylist()


def asked_since(site: FaultServer, before: int) -> Counter[str]:
    return Counter(path for _, _, path in site.log[before:])


def kill_on_the_way(study: Study, moments: list[int]) -> int:
    """Run the shards and kill the job at each moment: so many requests, or (0) a tar begun. Gives the kills."""
    killed, number = 0, 0
    staging = study.results / ".cache" / ".staging"
    waiting = list(moments)

    def packing() -> bool:
        return any(path.stat().st_size for path in staging.glob("*/files/_.tar"))

    while number < study.shards:
        process = study.started(number)
        while process.poll() is None:
            if waiting and (len(study.site.log) >= waiting[0] if waiting[0] else packing()):
                os.killpg(process.pid, signal.SIGKILL)
                killed += process.wait() == -signal.SIGKILL
                waiting.pop(0)
                assert not (study.results / "study" / "download" / f"{number:05d}{MANIFEST}").exists()
            time.sleep(0.002)
        number += process.returncode == 0
        assert process.returncode in (0, -signal.SIGKILL)
    return killed


@pytest.mark.slow
def test_killed_at_ten_moments_and_then_asked_for_otherwise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table: Table = mixture(ROWS - len(later()), FAULTY) | {path: one[:2] for path, one in later().items()}
    assert len(table) == ROWS
    source = annotation_zip(tmp_path, table)
    routes = {path: route for path, (route, _) in table.items()}
    more = {f"/new{number}.jpg": routes["/good.jpg"] for number in range(30)}
    with serving(routes) as site:
        undisturbed = Study(tmp_path / "undisturbed", source, site)
        undisturbed.plan(4, 1500)
        expected = undisturbed.all()
    with serving(routes | more) as site:
        study = Study(tmp_path / "killed", source, site)
        study.plan(4, 1500)
        pick = random.Random(5)
        moments = sorted(pick.sample(range(20, 2100), KILLS - 2))
        assert kill_on_the_way(study, [*moments[:3], 0, *moments[3:6], 0, *moments[6:]]) == KILLS
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
    wider.plan(5, 1500)
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
    study.plan(9, 500)
    images = {one["key"]: one["sha256"] for one in rows}
    again = {one["key"]: one["sha256"] for one in table_of(study.all())}
    assert {key: again[key] for key in images} == images
    study.all(jpeg_quality=70, max_side=32)
    assert not asked_since(study.site, start)


def check_second_round(study: Study, rows: list[dict[str, Any]]) -> None:
    """It asks for what may end better, and for nothing else; what was gone for good stays."""
    may_pass = {one["url"] for one in rows if Record(one["url"], State(one["state"]), one["http_status"]).may_pass}
    study.plan(5, 1500)
    start, study.site.era = len(study.site.log), 2
    shards = study.all(rounds=2)
    asked = {f"http://{host}{path}" for _, host, path in study.site.log[start:]}
    assert asked == may_pass and may_pass
    states = {one["url"].partition(".test")[2]: one["state"] for one in table_of(shards)}
    assert {path: states[path] for path in later()} == {path: second for path, (_, _, second) in later().items()}
    start = len(study.site.log)
    study.all(rounds=2, max_side=48)
    assert not asked_since(study.site, start)
