"""The download stage: same bytes whatever happens on the way, and nothing requested twice."""

import hashlib
import json
import random
import resource
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from tests.acquisition.fault_server import Route, serving
from tests.acquisition.pictures import jpeg
from tests.helpers import make_artifact, run
from tests.stages.acquired import HOST, SETTINGS, download_settings, downloaded, planned
from workflow_scripts.acquisition.settings import Download
from workflow_scripts.acquisition.store.journal import Journal
from workflow_scripts.core.artifact import Artifact
from workflow_scripts.demo.world import feed
from workflow_scripts.stages import download, shard_plan

NAMES = [f"p{n:03d}.jpg" for n in range(40)]
DEAD = {"p007.jpg", "p023.jpg"}


def routes() -> dict[str, Route]:
    return {f"/{name}": jpeg(40 + 2 * n, 50, seed=n) for n, name in enumerate(NAMES) if name not in DEAD}


def content(artifact: Artifact) -> dict[str, str]:
    return {one: hashlib.sha256(artifact.path(one).read_bytes()).hexdigest() for one in artifact.suffixes}


def test_shard_bytes_depend_neither_on_order_nor_on_workers(results: Path, tmp_path: Path) -> None:
    made = planned(results, tmp_path, NAMES)
    pause = random.Random(3)
    with serving(routes(), delay=lambda path: pause.random() * 0.02) as site:
        one = downloaded(results, made, 0, site.address, workers=1)
        other_results = tmp_path / "elsewhere"
        other_results.mkdir()
        again = planned(other_results, tmp_path, NAMES)
        hosts = {"default": {"rate": 900, "connections": 3}}
        other = downloaded(other_results, again, 0, site.address, workers=4, hosts=hosts)
    assert one.suffixes == [".parquet", ".tar"]
    assert content(one) == content(other) and one.hash == other.hash
    assert one.rows == {"in": 40, "out": 38, "dropped": {"http_4xx": 2}}
    log = pq.read_table(one.manifest_path.with_name("00000.attempts.parquet"))
    assert log["url"].to_pylist() == [f"http://{HOST}/{name}" for name in NAMES]


def test_settings_that_change_no_byte_ask_for_nothing_again(results: Path, tmp_path: Path) -> None:
    made = planned(results, tmp_path, NAMES, shards=2)
    with serving(routes()) as site:
        first = downloaded(results, made, 1, site.address)
        asked = site.asked.total()
        same = downloaded(results, made, 1, site.address, deadline=9.0, contact="lab@example.org", attempts=7)
        assert (site.asked.total(), same.hash) == (asked, first.hash)
        smaller = downloaded(results, made, 1, site.address, max_side=32)
        assert site.asked.total() == asked and smaller.hash != first.hash
        assert pc.max(pq.read_table(smaller.path(".parquet"))["width"]).as_py() <= 32
    assert set(Download.model_fields) >= download.STAGE.not_in_key
    in_key = {"max_side", "jpeg_quality", "min_side", "max_aspect", "max_pixels", "max_bytes", "rounds"}
    in_key |= {"placeholder_sha256", "respect_robots_tag", "imports"}
    assert set(Download.model_fields) - download.STAGE.not_in_key == in_key


def test_the_demo_world_serves_itself(results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = planned(results, tmp_path, NAMES)
    pictures = tmp_path / "images.zip"
    with zipfile.ZipFile(pictures, "w") as archive:
        for path, data in routes().items():
            archive.writestr(path.removeprefix("/"), data)  # type: ignore[arg-type]
    world = make_artifact(results, "demo_world", "world", {".images.zip": pictures})
    inputs = {"plan": made["plan"].manifest_path, "world": world}
    monkeypatch.setattr(feed, "HOST", HOST)
    shard = run(download.STAGE, results, "download/00000", SETTINGS, inputs, {"shard": "00000"})
    assert shard.rows == {"in": 40, "out": 38, "dropped": {"http_4xx": 2}}


def test_a_full_disk_is_a_clear_error_and_loses_nothing(results: Path, tmp_path: Path) -> None:
    """A limit of the size of files stands for the disk; the same happens where there is no room left."""
    made = planned(results, tmp_path, NAMES)
    pictures: dict[str, Route] = {path: jpeg(300, 200, seed=n) for n, path in enumerate(routes())}

    def limited(_: str) -> float:
        if full.poll() is None:
            resource.prlimit(full.pid, resource.RLIMIT_FSIZE, (100_000, 100_000))
        return 0

    with serving(pictures, delay=limited) as site:
        settings = json.dumps(download_settings(site.address, hosts={"default": {"rate": 5000, "connections": 1}}))
        argv = [
            "--device",
            "cpu",
            "--unit",
            "shard=00000",
            "--artifact",
            str(results / "study" / "download" / "00000"),
            "--settings",
            settings,
        ]
        argv += ["--input", f"plan={made['plan'].manifest_path}"]
        words = [sys.executable, "-m", "workflow_scripts.stages.download", *argv]
        full = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
        printed = full.communicate()[1]
        assert full.returncode == 1
        last = printed.splitlines()[-1]
        assert last.startswith("error: storage error of download in ")
        assert "File too large; check the file and its folder, then run the same command again" in last
        first = set(site.asked)
        assert 1 < len(first) < len(NAMES) and not list(results.rglob("download/*.manifest.json"))
        ended = downloaded(results, made, 0, site.address)
    assert ended.rows["out"] == 38
    assert sum(count > 1 for count in site.asked.values()) <= 4, "more than what was under way at that moment"


def test_a_store_that_could_not_be_flushed_leaves_no_artifact(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The flush goes on beside the packing, which ends well here."""
    made = planned(results, tmp_path, NAMES)

    def lost(self: Journal, ended: bool) -> None:
        raise OSError(5, "Input/output error", "store")

    with serving(routes()) as site:
        with monkeypatch.context() as faulty, pytest.raises(SystemExit) as ended:
            faulty.setattr(Journal, "seal", lost)
            downloaded(results, made, 0, site.address)
        assert ended.value.code == 1
        assert "error: storage error of download in store: Input/output error" in capsys.readouterr().err
        assert not list(results.glob("study/download/*.manifest.json"))
        asked = len(site.log)
        whole = downloaded(results, made, 0, site.address)
        assert {path for _, path, _ in site.log[asked:]} <= {f"/{name}" for name in DEAD}
    assert whole.rows["out"] == len(NAMES) - len(DEAD)


def test_shards_with_the_same_rows_share_an_artifact(results: Path, tmp_path: Path) -> None:
    made = planned(results, tmp_path, NAMES[:3])
    rows = {"annotations": made["annotations"].manifest_path}
    plan = run(shard_plan.STAGE, results, "shard_plan/plan", {"shards": 3, "rows_per_shard": 3}, rows)
    empty = [run(download.STAGE, results, f"download/{n}", SETTINGS, {"plan": plan.manifest_path}, {"shard": n})
             for n in ("00001", "00002")]  # fmt: skip
    assert empty[0].hash == empty[1].hash and empty[0].unit == {}
    assert empty[0].rows == {"in": 0, "out": 0, "dropped": {}}
    assert pq.read_table(empty[0].path(".parquet")).num_rows == 0
    record = json.loads(empty[1].manifest_path.with_name("00002.run.json").read_bytes())
    assert record["cached"] and record["unit"] == {"shard": "00002"}


def test_imported_images_are_used_and_missing_images_fetched(results: Path, tmp_path: Path) -> None:
    made = planned(results, tmp_path, NAMES)
    folder = tmp_path / "images" / "pics"
    folder.mkdir(parents=True)
    for path, data in list(routes().items())[:30]:
        (folder / path.removeprefix("/")).write_bytes(data)  # type: ignore[arg-type]
    imports = [{"kind": "redcaps_folder", "source": str(folder.parent)}]
    with serving(routes()) as site:
        shard = downloaded(results, made, 0, site.address, imports=imports)
        assert site.asked.total() == 10 and shard.rows == {"in": 40, "out": 38, "dropped": {"http_4xx": 2}}
        shutil.rmtree(folder)
        again = downloaded(results, made, 0, site.address, max_side=32)
        assert site.asked.total() == 10 and again.rows == shard.rows
    log = pq.read_table(shard.manifest_path.with_name("00000.attempts.parquet"))
    assert log["state"].to_pylist().count("imported") == 30
    facts = json.loads(shard.manifest_path.with_name("00000.run.json").read_bytes())["facts"]
    assert (facts["requests"], facts["imported"]) == (10, 30)
