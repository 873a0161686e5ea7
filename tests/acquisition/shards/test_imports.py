"""Images of other tools are used as if they had been fetched, and only missing ones are requested."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.acquisition.download_states import kept, opened
from tests.acquisition.pictures import jpeg
from workflow_scripts.acquisition.settings import Download
from workflow_scripts.acquisition.shards.download_state import DownloadState
from workflow_scripts.acquisition.shards.imports import bring_in
from workflow_scripts.core.errors import PipelineError

KEYS = [f"k{n:02d}" for n in range(12)]
URLS = {key: f"http://a.test/{key}.jpg" for key in KEYS}
PICTURES = {key: jpeg(60 + n, 50, seed=n) for n, key in enumerate(KEYS)}
ROWS = pa.table({"key": KEYS, "url": list(URLS.values()), "subreddit": ["pics"] * len(KEYS)})


def settings(source: Path, **changed: Any) -> Download:
    return Download.model_validate({"imports": [str(source)], **changed})


def brought(folder: Path, wanted: Download) -> DownloadState:
    with opened(folder, wanted, list(URLS.values())) as downloads:
        downloads.prepare(2)
        bring_in(ROWS, downloads, wanted, workers=2)
    return downloads


def image_folder(folder: Path, keys: list[str]) -> Path:
    (folder / "pics").mkdir(parents=True)
    for key in keys:
        (folder / "pics" / f"{key}.jpg").write_bytes(PICTURES[key])
    return folder


def test_a_redcaps_folder_is_imported(tmp_path: Path) -> None:
    source = image_folder(tmp_path / "images", KEYS[:9])
    (source / "pics" / f"{KEYS[9]}.jpg").write_bytes(b"")
    (source / "pics" / f"{KEYS[10]}.jpg").mkdir()
    downloads = brought(tmp_path / "w", settings(source))
    assert downloads.waiting == [URLS[key] for key in KEYS[9:]]
    records = {record.url: record for record in kept(tmp_path / "w")}
    assert sorted(records) == [URLS[key] for key in KEYS[:9]]
    one = records[URLS[KEYS[3]]]
    assert (one.size, one.http_status, one.attempts[0]["state"]) == (len(PICTURES[KEYS[3]]), None, "imported")
    assert downloads.done[URLS[KEYS[3]]].state == "ok" and downloads.done[URLS[KEYS[3]]].width == 63


def test_damaged_imports_are_downloaded(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = image_folder(tmp_path / "images", KEYS[:2])
    (source / "pics" / f"{KEYS[2]}.jpg").write_bytes(b"<html>not an image</html>")
    (source / "pics" / f"{KEYS[3]}.jpg").write_bytes(PICTURES[KEYS[3]][:-300])
    (source / "pics" / f"{KEYS[4]}.jpg").write_bytes(b"\xff\xd8\xff" + bytes(200_000))
    downloads = brought(tmp_path / "w", settings(source, max_bytes=100_000))
    assert [key for key in KEYS[:5] if URLS[key] in downloads.waiting] == KEYS[2:5]
    assert "2 files are damaged" in caplog.text


def test_images_in_the_store_are_not_imported_again(tmp_path: Path) -> None:
    source = image_folder(tmp_path / "images", KEYS[:2])
    brought(tmp_path / "w", settings(source))
    before = kept(tmp_path / "w")
    (source / "pics" / f"{KEYS[0]}.jpg").write_bytes(PICTURES[KEYS[5]])
    again = brought(tmp_path / "w", settings(source))
    assert kept(tmp_path / "w") == before and again.done[URLS[KEYS[0]]].width == 60


def test_a_missing_import_is_named(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"missing import in .*nowhere: no such folder; correct download\.imports"):
        brought(tmp_path / "a", settings(tmp_path / "nowhere"))
