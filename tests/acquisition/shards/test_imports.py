"""Images of other tools are used as if they had been fetched, and only missing ones are requested."""

import json
import os
import tarfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.acquisition.download_states import kept, opened
from tests.acquisition.pictures import jpeg
from tests.file_bytes import write_tar
from workflow_scripts.acquisition.settings import Download
from workflow_scripts.acquisition.shards.download_state import DownloadState
from workflow_scripts.acquisition.shards.imports import ImportIndex, bring_in
from workflow_scripts.core.errors import PipelineError

KEYS = [f"k{n:02d}" for n in range(12)]
URLS = {key: f"http://a.test/{key}.jpg" for key in KEYS}
PICTURES = {key: jpeg(60 + n, 50, seed=n) for n, key in enumerate(KEYS)}
ROWS = pa.table({"key": KEYS, "url": list(URLS.values()), "subreddit": ["pics"] * len(KEYS)})


def settings(kind: str, source: Path, **changed: Any) -> Download:
    return Download.model_validate({"imports": [{"kind": kind, "source": str(source)}], **changed})


def brought(folder: Path, wanted: Download) -> DownloadState:
    with opened(folder, wanted, list(URLS.values())) as downloads:
        downloads.prepare(2)
        bring_in(ROWS, downloads, wanted, folder, workers=2)
    return downloads


def image_folder(folder: Path, keys: list[str]) -> Path:
    (folder / "pics").mkdir(parents=True)
    for key in keys:
        (folder / "pics" / f"{key}.jpg").write_bytes(PICTURES[key])
    return folder


def tar_shard(path: Path, keys: list[str], json_first: bool = False) -> None:
    """A shard as img2dataset writes it: members by sample, named by its own numbers."""
    members: list[tuple[str, bytes | str]] = []
    for number, key in enumerate(keys):
        description = {"url": URLS[key], "key": f"{number:09d}", "status": "success", "caption": "words"}
        sample = {"jpg": PICTURES[key], "txt": b"words", "json": json.dumps(description)}
        kinds = ("json", "jpg", "txt") if json_first else sample
        members += [(f"{number:09d}.{kind}", sample[kind]) for kind in kinds]
    write_tar(path, members)


def test_a_redcaps_folder_is_imported(tmp_path: Path) -> None:
    source = image_folder(tmp_path / "images", KEYS[:9])
    (source / "pics" / f"{KEYS[9]}.jpg").write_bytes(b"")
    (source / "pics" / f"{KEYS[10]}.jpg").mkdir()
    downloads = brought(tmp_path / "w", settings("redcaps_folder", source))
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
    downloads = brought(tmp_path / "w", settings("redcaps_folder", source, max_bytes=100_000))
    assert [key for key in KEYS[:5] if URLS[key] in downloads.waiting] == KEYS[2:5]
    assert "2 files are damaged" in caplog.text


def test_tar_shards_of_img2dataset(tmp_path: Path) -> None:
    source = tmp_path / "shards"
    source.mkdir()
    tar_shard(source / "00000.tar", KEYS[:5])
    tar_shard(source / "00001.tar", KEYS[4:8], json_first=True)
    # beside each tar lies a table of the same rows without images
    pq.write_table(pa.table({"url": list(URLS.values()), "status": ["success"] * 12}), source / "00000.parquet")
    (source / "00000_stats.json").write_text("{}")
    downloads = brought(tmp_path / "w", settings("img2dataset", source))
    assert downloads.waiting == [URLS[key] for key in KEYS[8:]]
    assert {downloads.done[URLS[key]].width for key in KEYS[:8]} == set(range(60, 68))
    # the index is made once, and again when a shard changes
    (index,) = (tmp_path / "w" / ".fetched" / ".imports").glob("*.parquet")
    made = index.stat().st_mtime_ns
    assert not any(url.encode() in index.read_bytes() for url in URLS.values())
    brought(tmp_path / "w", settings("img2dataset", source))
    assert index.stat().st_mtime_ns == made
    tar_shard(source / "00002.tar", KEYS[8:10])
    assert brought(tmp_path / "w", settings("img2dataset", source)).waiting == [URLS[key] for key in KEYS[10:]]


def test_samples_that_are_exchanged_within_a_shard_keep_their_images(tmp_path: Path) -> None:
    path = tmp_path / "00000.tar"
    same = {key: key.encode() * 200 for key in KEYS[:2]}

    def write(keys: list[str]) -> None:
        samples = [((f"{key}.jpg", same[key]), (f"{key}.json", json.dumps({"url": URLS[key]}))) for key in keys]
        write_tar(path, [member for sample in samples for member in sample])

    for keys in (KEYS[:2], KEYS[1::-1]):
        before = path.stat() if path.exists() else None
        write(keys)
        if before is not None:
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
            assert path.stat().st_size == before.st_size
        index = ImportIndex(tmp_path, tmp_path / "results", 1_000_000)
        assert dict(index.images(URLS.values())) == {URLS[key]: same[key] for key in KEYS[:2]}


def test_samples_without_a_valid_description_are_not_imported(tmp_path: Path) -> None:
    source = tmp_path / "shards"
    source.mkdir()
    tar_shard(source / "00000.tar", KEYS[:2])
    odd = {"9.jpg": PICTURES[KEYS[2]], "9.json": "[]", "10.json": '{"url": 5}'}
    write_tar(source / "00000.tar", odd, "a")
    downloads = brought(tmp_path / "w", settings("img2dataset", source))
    assert downloads.waiting == [URLS[key] for key in KEYS[2:]]


def test_images_in_the_store_are_not_imported_again(tmp_path: Path) -> None:
    source = image_folder(tmp_path / "images", KEYS[:2])
    brought(tmp_path / "w", settings("redcaps_folder", source))
    before = kept(tmp_path / "w")
    (source / "pics" / f"{KEYS[0]}.jpg").write_bytes(PICTURES[KEYS[5]])
    again = brought(tmp_path / "w", settings("redcaps_folder", source))
    assert kept(tmp_path / "w") == before and again.done[URLS[KEYS[0]]].width == 60


def test_a_missing_or_damaged_import_is_named(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"missing import in .*nowhere: no such folder; correct download\.imports"):
        brought(tmp_path / "a", settings("redcaps_folder", tmp_path / "nowhere"))
    source = tmp_path / "shards"
    source.mkdir()
    with pytest.raises(PipelineError, match=r"no images to import in .*shards: 0 shards"):
        brought(tmp_path / "b", settings("img2dataset", source))
    tar_shard(source / "00000.tar", KEYS[:5])
    (source / "00001.tar").write_bytes(b"no tar at all" * 100)
    with pytest.raises(PipelineError, match=r"unreadable shard to import in .*00001\.tar"):
        brought(tmp_path / "c", settings("img2dataset", source))
    tar_shard(source / "00001.tar", KEYS[5:8])
    with tarfile.open(source / "00001.tar") as tar:
        end = tar.getmembers()[3].offset
    (source / "00001.tar").write_bytes((source / "00001.tar").read_bytes()[:end])
    with pytest.raises(PipelineError, match=r"unreadable shard to import in .*00001\.tar: no end of the archive"):
        brought(tmp_path / "d", settings("img2dataset", source))
