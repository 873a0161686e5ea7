"""Images that were exchanged between URLs in the store, so that the next packing would give them to other captions."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.acquisition.pictures import jpeg
from tests.acquisition.shards.test_packing import rows
from tests.provenance.chain import Chain
from workflow_scripts.acquisition.settings import Download
from workflow_scripts.acquisition.shards.download_state import DownloadState
from workflow_scripts.acquisition.shards.imports import IMPORTED
from workflow_scripts.acquisition.shards.packing import attempts, pack
from workflow_scripts.acquisition.states import State
from workflow_scripts.acquisition.store.segment import LINES, seal, stems, with_suffix
from workflow_scripts.acquisition.store.store import Store
from workflow_scripts.audit.audit import audit
from workflow_scripts.core.files.names import FETCHED

PLACE = ("offset", "size", "sha256", "width", "height", "format")
URLS = [*dict.fromkeys(rows()["url"].to_pylist())]
URLS[1] += "?token=secret"  # redacted in the table of attempts


def faults(results: Path) -> list[tuple[str, str]]:
    found = [fault for study in audit([results], [], quick=False, jobs=2) for fault in study.faults]
    return [(fault.kind, fault.path.name) for fault in found]


def fetch(chain: Chain, settings: Download, job: str, folder: str = ".", start: float = 5.0) -> dict[str, bytes]:
    """Fetch all URLs of a shard, and pack it; gives the shard's files."""
    table = rows()
    at = table.column_names.index("url")
    table = table.set_column(at, table.schema.field(at), [[*URLS, URLS[0]]])
    work = chain.results / ".work" / "download" / job
    work.mkdir(parents=True)
    paths = {suffix: work / suffix for suffix in (".tar", ".parquet", ".attempts.parquet")}
    with Store(chain.results / FETCHED / folder, job) as store, DownloadState(store, work, settings, URLS) as downloads:
        downloads.prepare(1)
        for number, url in enumerate(downloads.waiting):
            state = State.HTTP_4XX if number == 2 else State.OK
            data = jpeg(64, 48, seed=number) if state is State.OK else b""
            tried = {"attempt": 1, "started": start + number, "seconds": 0.5, "http_status": None, "read": len(data)}
            named = IMPORTED if number == 3 else state
            downloads.finish(url, state, None, data, [{**tried, "state": str(named)}])
        store.seal()
        pack(table, downloads, paths[".tar"], paths[".parquet"])
        attempts(URLS, downloads, paths[".attempts.parquet"])
    return {suffix: path.read_bytes() for suffix, path in paths.items()}


def shard(chain: Chain, content: dict[str, bytes], name: str = "00009", **inputs: list[str]) -> None:
    inputs = {"plan": ["shard_plan/plan"], **inputs}
    chain.make(f"download/{name}", [".tar", ".parquet"], inputs, {"name": name}, [".attempts.parquet"], content)


def edit(stem: Path, change: Callable[[list[dict[str, Any]]], None]) -> None:
    """Change a segment's lines, and write an index that fits them."""
    path = with_suffix(stem, LINES)
    lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    change(lines)
    path.write_bytes(b"".join(json.dumps(line, separators=(",", ":")).encode() + b"\n" for line in lines))
    seal(stem, ended=True)


def exchange(*fields: str) -> Callable[[list[dict[str, Any]]], None]:
    def change(lines: list[dict[str, Any]]) -> None:
        for field in fields:
            lines[0][field], lines[1][field] = lines[1][field], lines[0][field]

    return change


SETTINGS = {
    "as received": {"keep": "fetched"},
    "scaled": {"keep": "fetched", "max_side": 32},
    "prepared": {"keep": "prepared", "max_side": 32},
}


@pytest.mark.parametrize("kind", SETTINGS)
@pytest.mark.parametrize("fields", [("url",), PLACE])
def test_images_swapped_between_urls_are_a_fault(chain: Chain, kind: str, fields: tuple[str, ...]) -> None:
    shard(chain, fetch(chain, Download.model_validate(SETTINGS[kind]), "job"))
    assert faults(chain.results) == []
    (stem,) = stems(chain.results / FETCHED)
    edit(stem, exchange(*fields))
    assert faults(chain.results) == [("damaged-store", f"{stem.name}{LINES}")]
    edit(stem, exchange(*fields))
    assert faults(chain.results) == []


def test_the_size_of_a_prepared_image_is_compared(chain: Chain) -> None:
    shard(chain, fetch(chain, Download.model_validate(SETTINGS["prepared"]), "job"))
    (stem,) = stems(chain.results / FETCHED)
    edit(stem, lambda lines: lines[3].update(width=31))
    assert faults(chain.results) == [("damaged-store", f"{stem.name}{LINES}")]


def test_images_fetched_after_a_shard_was_packed_are_not_compared(chain: Chain) -> None:
    settings = Download.model_validate(SETTINGS["scaled"])
    shard(chain, fetch(chain, settings, "job"))
    for path in (chain.results / FETCHED).glob("job-0.*"):
        path.unlink()
    fetch(chain, settings, "again", start=9.0)
    assert [stem.name for stem in stems(chain.results / FETCHED)] == ["again-0"]
    assert faults(chain.results) == []


def test_other_settings_and_a_second_job_may_have_other_images(chain: Chain) -> None:
    for number, kind in enumerate(("prepared", "as received", "scaled")):
        shard(chain, fetch(chain, Download.model_validate(SETTINGS[kind]), kind[:3]), name=f"0001{number}")
    assert faults(chain.results) == []


def test_a_damaged_table_is_named_itself(chain: Chain) -> None:
    shard(chain, fetch(chain, Download.model_validate(SETTINGS["scaled"]), "job"))
    path = chain.study / "download" / "00009.parquet"
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-5] + bytes(5))
    assert {kind for kind, _ in faults(chain.results)} == {"changed-file"}


def test_each_demo_is_compared_with_the_store_of_its_world(chain: Chain) -> None:
    settings = Download.model_validate(SETTINGS["scaled"])
    worlds = []
    for number in range(2):
        chain.make(f"demo_world/w{number}", [".images.zip"])
        manifest = json.loads((chain.study / "demo_world" / f"w{number}.manifest.json").read_bytes())
        worlds.append(manifest["files"][".images.zip"]["sha256"])
        content = fetch(chain, settings, f"job{number}", worlds[number], start=5.0 + 100 * number)
        shard(chain, content, f"0002{number}", world=[f"demo_world/w{number}"])
    assert faults(chain.results) == []
    (stem,) = stems(chain.results / FETCHED / worlds[1])
    edit(stem, exchange("url"))
    assert faults(chain.results) == [("damaged-store", f"{stem.name}{LINES}")]
