"""A shard's tar: WebDataset's layout, offsets that hold, bytes that depend on rows and images alone."""

import json
import tarfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.acquisition.download_states import opened
from tests.acquisition.pictures import jpeg
from workflow_scripts.acquisition.settings import Download
from workflow_scripts.acquisition.shards.packing import SHARD, attempts, pack
from workflow_scripts.acquisition.shards.plan import PLAN
from workflow_scripts.acquisition.states import State

URLS = [f"http://a.test/{n}" for n in range(6)]
IMAGES = {url: jpeg(seed=n) for n, url in enumerate(URLS) if n != 2}


def rows() -> pa.Table:
    keys = [f"k{n}" for n in range(7)]
    columns = {"url": [*URLS, URLS[0]], "subreddit": ["pics"] * 7, "caption": ["ünïcode"] * 7, "year": [2020] * 7}
    return (
        pa.table({"shard": [0] * 7, "position": list(range(7)), "key": keys, **columns}).select(PLAN.names).cast(PLAN)
    )


def packed(folder: Path, order: list[str]) -> tuple[bytes, pa.Table]:
    """The tar and the table of the rows, whose answers came in ``order``."""
    with opened(folder, Download(), URLS) as downloads:
        for url in order:
            tries = [{"attempt": 1, "state": "ok", "started": 0.0, "seconds": 1.0, "http_status": None, "read": 5}]
            data = IMAGES.get(url, b"")
            downloads.finish(url, State.OK if data else State.HTTP_4XX, 200 if data else 410, data, tries)
        assert pack(rows(), downloads, folder / "out.tar", folder / "out.parquet") == {"ok": 6, "http_4xx": 1}
        asked = attempts([*URLS, URLS[0]], downloads, folder / "attempts.parquet")
    assert asked == {"requests": 6, "imported": 0, "bytes_read": 30}
    assert pq.read_table(folder / "attempts.parquet")["url"].to_pylist() == URLS
    return (folder / "out.tar").read_bytes(), pq.read_table(folder / "out.parquet")


def test_order_of_answers_changes_nothing(tmp_path: Path) -> None:
    first, second = packed(tmp_path / "a", URLS), packed(tmp_path / "b", URLS[::-1])
    assert first[0] == second[0] and first[1].equals(second[1])
    assert (tmp_path / "a" / "out.parquet").read_bytes() == (tmp_path / "b" / "out.parquet").read_bytes()


def test_tables_are_written_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = packed(tmp_path / "a", URLS)
    monkeypatch.setattr("workflow_scripts.acquisition.shards.packing.ROWS_AT_ONCE", 2)
    parts = packed(tmp_path / "b", URLS)
    assert parts[0] == whole[0] and parts[1].equals(whole[1])
    assert pq.ParquetFile(tmp_path / "b" / "out.parquet").num_row_groups == 4
    assert pq.ParquetFile(tmp_path / "b" / "attempts.parquet").num_row_groups == 3


def test_a_shard_has_every_row_and_correct_offsets(tmp_path: Path) -> None:
    tar, table = packed(tmp_path / "a", URLS)
    assert table.schema == SHARD and len(table) == 7
    for row in table.to_pylist():
        if row["url"] == URLS[2]:
            assert (row["state"], row["http_status"], row["offset"], row["sha256"]) == ("http_4xx", 410, None, None)
        else:
            assert tar[row["offset"] : row["offset"] + row["bytes"]] == IMAGES[row["url"]]


def test_tar_members_are_in_webdataset_layout_without_times_or_owners(tmp_path: Path) -> None:
    packed(tmp_path / "a", URLS)
    with tarfile.open(tmp_path / "a" / "out.tar") as tar:
        members = tar.getmembers()
        described = json.load(tar.extractfile("k1.json") or pytest.fail("no member"))
    assert [one.name for one in members][:4] == ["k0.jpg", "k0.json", "k1.jpg", "k1.json"] and len(members) == 12
    assert {(one.mtime, one.uid, one.gid, one.uname, one.mode) for one in members} == {(0, 0, 0, "", 0o644)}
    assert described["caption"] == "ünïcode" and described["width"] == 80 and described["url"] == URLS[1]


def test_a_packed_shard_can_be_read_by_webdataset(tmp_path: Path) -> None:
    import webdataset

    packed(tmp_path / "a", URLS)
    samples = list(webdataset.WebDataset(str(tmp_path / "a" / "out.tar"), shardshuffle=False).decode("pil"))
    assert [one["__key__"] for one in samples] == ["k0", "k1", "k3", "k4", "k5", "k6"]
    assert all(one["jpg"].size == (80, 60) and one["json"]["key"] == one["__key__"] for one in samples)
