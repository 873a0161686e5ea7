"""Each fault of the web, from the server to the shard: state, attempts and bytes, over several host names."""

import io

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from tests.acquisition.fault_server import FaultServer, serving
from tests.acquisition.faults import SECONDS, faults, patient
from tests.acquisition.pictures import jpeg
from tests.acquisition.zips import row, write_zip
from tests.helpers import run
from tests.stages.acquired import SETTINGS
from workflow_scripts.core.artifact import Artifact
from workflow_scripts.stages import annotations, download, shard_plan

HOSTS = ("i.photos.test", "farm1.static.test", "farm2.static.test", "else.test")
MAX_BYTES = 100_000
FAST = {"rate": 5000, "connections": 8}
LIMITS = {
    **SETTINGS,
    "max_bytes": MAX_BYTES,
    "max_pixels": 1_000_000,
    "attempts": 3,
    "hosts": {"i.photos.test": FAST, "*.static.test": FAST, "default": FAST},
}
LOOPS = ("/loop.jpg", "/there.jpg", "/back.jpg")
STATUS = {
    "/403.jpg": 403,
    "/404.jpg": 404,
    "/410.jpg": 410,
    "/451.jpg": 451,
    "/500.jpg": 500,
    "/429.jpg": 429,
    "/600.jpg": 600,
    "/999.jpg": 999,
    "/204.jpg": 204,
    "/error-without-end.jpg": 404,
}


@pytest.fixture(scope="module")
def shard(tmp_path_factory: pytest.TempPathFactory) -> tuple[Artifact, FaultServer]:
    """A downloaded shard with a row per fault, and the server that was asked."""
    folder = tmp_path_factory.mktemp("faults")
    results = folder / "results"
    rows = [row(path[1:].partition(".")[0], url=url_of(path)) for path in faults()]
    source = write_zip(folder / "annotations.zip", {"pics_2020": rows})
    made = run(annotations.STAGE, results, "annotations/rows", {}, sources={"annotations": source})
    settings = {"shards": 1, "rows_per_shard": len(rows)}
    plan = run(shard_plan.STAGE, results, "shard_plan/plan", settings, {"annotations": made.manifest_path})
    with serving({path: route for path, (route, _, _) in faults().items()}) as site, patient():
        asking = {**LIMITS, "connect_to": dict.fromkeys(HOSTS, site.address)}
        inputs, options = {"plan": plan.manifest_path}, ["--workers", "2"]
        artifact = run(download.STAGE, results, "download/00000", asking, inputs, {"shard": "00000"}, options=options)
    return artifact, site


def url_of(path: str) -> str:
    return f"http://{HOSTS[sum(path.encode()) % len(HOSTS)]}{path}"


def test_each_fault_has_its_state_and_http_status(shard: tuple[Artifact, FaultServer]) -> None:
    rows = {one["url"]: one for one in pq.read_table(shard[0].path(".parquet")).to_pylist()}
    assert {path: rows[url_of(path)]["state"] for path in faults()} == {
        path: state for path, (_, state, _) in faults().items()
    }
    assert {path: rows[url_of(path)]["http_status"] for path in STATUS} == STATUS
    assert shard[0].rows["in"] == len(faults()) == len(rows)


def test_each_fault_has_the_expected_attempts_and_requests(shard: tuple[Artifact, FaultServer]) -> None:
    artifact, site = shard
    log = pq.read_table(artifact.manifest_path.with_name("00000.attempts.parquet")).to_pylist()
    tried = {path: [one for one in log if one["url"] == url_of(path)] for path in faults()}
    requests = {path: wanted for path, (_, _, wanted) in faults().items()}
    # A redirect is a request, but no attempt of its own.
    assert {path: len(found) for path, found in tried.items()} == requests | dict.fromkeys(LOOPS, 1)
    assert dict(site.asked) == requests | {"/good.jpg": 2}, "/moved.jpg leads to /good.jpg"
    assert {host for _, host, _ in site.log} == set(HOSTS)
    assert [one["state"] for one in tried["/500-then-ok.jpg"]] == ["http_5xx", "ok"]
    assert [one["state"] for one in tried["/429-then-ok.jpg"]] == ["rate_limited", "ok"]
    assert all(one["seconds"] > 0.9 * SECONDS for path in ("/stall.jpg", "/slow-body.jpg") for one in tried[path])


def test_no_more_is_read_than_allowed(shard: tuple[Artifact, FaultServer]) -> None:
    artifact, site = shard
    log = pq.read_table(artifact.manifest_path.with_name("00000.attempts.parquet")).to_pylist()
    read = {one["url"]: one["read"] for one in log}
    assert read[url_of("/large.jpg")] == 0, "its length said enough"
    assert MAX_BYTES < read[url_of("/large-unsaid.jpg")] < MAX_BYTES + (1 << 19)
    assert site.sent["/large-unsaid.jpg"] < 30 << 20, "300 MB were there to be had; buffers of the system hold a few"
    assert read[url_of("/good.jpg")] == len(jpeg())
    assert read[url_of("/gzip-without-end.jpg")] < 1 << 20, "it is not unpacked"
    assert 0 < site.sent["/error-without-end.jpg"] < 30 << 20


def expected(path: str) -> np.ndarray:
    """(height, width, 3) int: the upright picture at ``path`` in colours, on white, with the longer side at most 64."""
    route = faults()[path][0]
    image = Image.open(io.BytesIO(route if isinstance(route, bytes) else jpeg()))
    image.load()
    if image.mode.startswith("I"):
        image = Image.fromarray((np.asarray(image) // 256).astype(np.uint8))
    if image.mode == "RGBA":
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    image = image.convert("RGB")
    if path == "/turned.jpg":
        image = image.transpose(Image.Transpose.ROTATE_270)
    scale = min(1.0, 64 / max(image.size))
    return np.asarray(image.resize((round(image.width * scale), round(image.height * scale)), 1)).astype(int)


def test_downloaded_pictures_match_the_served_images(shard: tuple[Artifact, FaultServer]) -> None:
    tar = shard[0].path(".tar").read_bytes()
    rows = [one for one in pq.read_table(shard[0].path(".parquet")).to_pylist() if one["state"] == "ok"]
    assert len(rows) == sum(state == "ok" for _, state, _ in faults().values()) >= 17
    for one in rows:
        path = one["url"][one["url"].index("/", 8) :]
        data, wanted = tar[one["offset"] : one["offset"] + one["bytes"]], expected(path)
        found = np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)
        assert (one["height"], one["width"]) == wanted.shape[:2] == found.shape[:2], path
        assert 10 * np.log10(255**2 / max(np.mean((found - wanted) ** 2.0), 1e-9)) > 30, path
        assert one["format"] == "jpg" and b"Exif" not in data
    small = next(one for one in rows if one["url"].endswith("/small.jpg"))
    assert tar[small["offset"] : small["offset"] + small["bytes"]] == jpeg(48, 32), (
        "what is small enough stays as it is"
    )
