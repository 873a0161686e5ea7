"""What a job asks for, and what it takes from what is there."""

import gc
import hashlib
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from tests.acquisition.download_states import kept, opened
from tests.acquisition.pictures import encoded, jpeg
from workflow_scripts.acquisition.settings import Download
from workflow_scripts.acquisition.shards.download_state import DownloadState
from workflow_scripts.acquisition.shards.packing import pack
from workflow_scripts.acquisition.states import State
from workflow_scripts.acquisition.store.journal import Journal
from workflow_scripts.core.errors import PipelineError

URLS = [f"http://a.test/{n}.jpg" for n in range(8)]
ASKED = {"attempt": 1, "state": "ok", "started": 0.0, "seconds": 0.1, "http_status": 200, "read": 9}


def settings(**changed: Any) -> Download:
    return Download.model_validate({"max_side": 64, **changed})


def finish(
    downloads: DownloadState, url: str, state: State = State.OK, status: int | None = 200, seed: int = 0
) -> State:
    body = jpeg(200, 100, seed=seed) if state is State.OK else b""
    return downloads.finish(url, state, status, body, [dict(ASKED)])


def test_other_image_settings_ask_for_nothing(tmp_path: Path) -> None:
    with opened(tmp_path, settings(), URLS) as downloads:
        assert downloads.waiting == URLS and finish(downloads, URLS[0]) is State.OK
        assert (downloads.done[URLS[0]].width, downloads.done[URLS[0]].height) == (64, 32)
    with opened(tmp_path / "other", settings(max_side=50), URLS) as elsewhere:
        assert elsewhere.waiting == URLS
    with opened(tmp_path, settings(max_side=50), URLS) as downloads:
        downloads.prepare(2)
        assert downloads.waiting == URLS[1:] and downloads.done[URLS[0]].width == 50
        assert [one["round"] for one in downloads.done[URLS[0]].attempts] == [1]
    with opened(tmp_path, settings(min_side=101), URLS[:1], "c") as downloads:
        downloads.prepare(1)
        assert downloads.done[URLS[0]].state is State.TOO_SMALL and not downloads.waiting


def test_prepared_bytes_are_reused_only_for_the_same_settings(tmp_path: Path) -> None:
    small = settings(keep="prepared")
    with opened(tmp_path, small, URLS) as downloads:
        finish(downloads, URLS[0])
        downloads.finish(URLS[1], State.OK, 200, jpeg(8, 8), [ASKED])
        finish(downloads, URLS[2], State.HTTP_4XX, 404)
        stored = downloads.data(downloads.done[URLS[0]])
    records = {record.url: record for record in kept(tmp_path)}
    assert records[URLS[0]].size == len(stored) < len(jpeg(200, 100)) and records[URLS[0]].width == 64
    with opened(tmp_path / "", small, URLS[:3], "b") as downloads:
        assert not downloads.waiting and downloads.data(downloads.done[URLS[0]]) == stored
        assert downloads.done[URLS[1]].state is State.TOO_SMALL
    with opened(tmp_path, settings(keep="prepared", max_side=50), URLS[:3], "c") as downloads:
        assert downloads.waiting == URLS[:2], "prepared otherwise, or refused by what is not kept; 404 stays"


def test_temporary_failures_are_retried_once_per_round(tmp_path: Path) -> None:
    ends = {0: (State.TIMEOUT, None), 1: (State.HTTP_4XX, 403), 2: (State.HTTP_4XX, 404), 3: (State.NOT_AN_IMAGE, 200)}
    with opened(tmp_path, settings(), URLS) as downloads:
        for number, (state, status) in ends.items():
            finish(downloads, URLS[number], state, status)
        finish(downloads, URLS[4])
    with opened(tmp_path, settings(), URLS[:5], "again") as downloads:
        assert not downloads.waiting
    with opened(tmp_path, settings(rounds=2), URLS[:5], "second") as downloads:
        assert downloads.waiting == URLS[:2] and not downloads.asked_before(URLS[0], 1)
        finish(downloads, URLS[0], State.TIMEOUT, None)
        assert downloads.asked_before(URLS[0], 1)
        finish(downloads, URLS[1])
        assert [one["round"] for one in downloads.done[URLS[0]].attempts] == [1, 2]
    with opened(tmp_path, settings(rounds=2), URLS[:5], "again2") as downloads:
        assert not downloads.waiting and downloads.done[URLS[1]].state is State.OK
    with opened(tmp_path, settings(rounds=3), URLS[:5], "third") as downloads:
        assert downloads.waiting == URLS[:1]


def test_all_rounds_are_run_if_requested_from_the_start(tmp_path: Path) -> None:
    with opened(tmp_path, settings(rounds=3), URLS[:3]) as downloads:
        finish(downloads, URLS[0])
        finish(downloads, URLS[1], State.HTTP_4XX, 404)
        for number in (1, 2, 3):
            assert downloads.waiting == [URLS[2]]
            finish(downloads, URLS[2], State.TIMEOUT, None)
            assert downloads.done[URLS[2]].round == number and downloads.next_round() is (number < 3)
        assert not downloads.waiting
        assert [one["round"] for one in downloads.done[URLS[2]].attempts] == [1, 2, 3]
    with opened(tmp_path, settings(rounds=3), URLS[:3], "again") as downloads:
        assert not [url for url in downloads.waiting if url != URLS[0]], "fetched images are prepared, not requested"
    with opened(tmp_path, settings(rounds=4), URLS[:3], "more") as downloads:
        assert URLS[2] in downloads.waiting and URLS[1] not in downloads.waiting


@pytest.mark.parametrize(
    ("state", "changed"),
    [
        (State.TOO_LARGE, {"max_bytes": 9}),
        (State.NOAI, {"respect_robots_tag": False}),
        (State.BLOCKED_ADDRESS, {"allow_addresses": ["127.0.0.0/8"]}),
    ],
)
def test_failures_due_to_settings_are_retried_when_the_settings_change(
    tmp_path: Path, state: State, changed: dict[str, Any]
) -> None:
    with opened(tmp_path, settings(), URLS[:2]) as downloads:
        finish(downloads, URLS[0], state)
        finish(downloads, URLS[1], State.HTTP_4XX, 404)
    with opened(tmp_path, settings(max_side=50, attempts=9), URLS[:2], "b") as downloads:
        assert not downloads.waiting
    with opened(tmp_path, settings(**changed), URLS[:2], "c") as downloads:
        assert downloads.waiting == URLS[:1]


@pytest.mark.parametrize("damage", [lambda data: data[:50] + bytes([data[50] ^ 1]) + data[51:], lambda data: data[:-1]])
@pytest.mark.parametrize(("first", "keep"), [("fetched", "fetched"), ("prepared", "prepared"), ("fetched", "prepared")])
def test_damaged_bytes_are_counted_and_downloaded_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, first: str, keep: str, damage: Callable[[bytes], bytes]
) -> None:
    with opened(tmp_path, settings(keep=first), URLS[:3]) as downloads:
        for seed, url in enumerate(URLS[:3]):
            finish(downloads, url, seed=seed)
    (path,) = (tmp_path / "store").glob("*.bin")
    whole = path.read_bytes()
    path.write_bytes(damaged := damage(whole))
    (tmp_path / "work" / "prepared.jsonl").unlink()
    with opened(tmp_path, settings(keep=keep), URLS[:3], "b") as downloads:
        downloads.prepare(2)
        (lost,) = downloads.waiting
        assert lost == URLS[2 if len(damaged) < len(whole) else 0]
        finish(downloads, lost)
        assert not downloads.waiting
        assert all(downloads.data(downloads.done[url]) for url in URLS[:3])
    assert "store: bytes of 1 URLs are damaged; they are fetched again" in caplog.text


def test_changed_prepared_bytes_are_named(tmp_path: Path) -> None:
    with opened(tmp_path, settings(), URLS[:1]) as downloads:
        finish(downloads, URLS[0])
        (tmp_path / "work" / "prepared.bin").write_bytes(bytes(100))
        with pytest.raises(
            PipelineError, match=r"stored image changed in .*work: http://a\.test/0\.jpg; .*only what the disk lost"
        ):
            downloads.data(downloads.done[URLS[0]])


def test_images_stored_unchanged_are_kept_only_once(tmp_path: Path) -> None:
    body = jpeg(60, 30)
    with opened(tmp_path, settings(), URLS[:2]) as downloads:
        assert downloads.finish(URLS[0], State.OK, 200, body, [dict(ASKED)]) is State.OK
        finish(downloads, URLS[1])
    with Journal(tmp_path / "work" / "prepared") as prepared:
        assert [record.url for record, _, _ in prepared.records()] == URLS[1:2]
    with opened(tmp_path, settings(), URLS[:2], "b") as downloads:
        assert downloads.waiting == URLS[:1], "it is prepared again, which is soon done"
        downloads.prepare(1)
        record = downloads.done[URLS[0]]
        assert not downloads.waiting and downloads.data(record) == body
        assert (record.sha256, record.size, record.width, record.height, record.format) == (
            hashlib.sha256(body).hexdigest(),
            len(body),
            60,
            30,
            "jpg",
        )
        assert [one["round"] for one in record.attempts] == [1]
        (store,) = (tmp_path / "store").glob("*.bin")
        store.write_bytes(bytes(store.stat().st_size))
        with pytest.raises(
            PipelineError, match=r"stored image changed in .*store: http://a\.test/0\.jpg; check the disk"
        ):
            downloads.data(record)
    with opened(tmp_path, settings(), URLS[:2], "c") as downloads:
        downloads.prepare(1)
        assert downloads.waiting == URLS[:1], "an image lost on disk is requested again"


def test_preparing_images_holds_only_few_in_memory(tmp_path: Path) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (600, 600, 3), dtype=np.uint8))
    body, urls = encoded(noise, "PNG"), [f"http://a.test/{n}.png" for n in range(40)]
    rows = pa.table({"key": [f"k{n}" for n in range(40)], "url": urls, "subreddit": ["a"] * 40, "year": [2020] * 40,
                     "caption": ["words"] * 40})  # fmt: skip
    wanted = settings(max_side=600)
    with opened(tmp_path, wanted, urls) as downloads:
        for url in urls:
            downloads.finish(url, State.OK, 200, body, [ASKED])
    (tmp_path / "work" / "prepared.jsonl").unlink()
    gc.collect()
    tracemalloc.start()
    with opened(tmp_path, wanted, urls, "b") as downloads:
        downloads.prepare(2)
        assert pack(rows, downloads, tmp_path / "out.tar", tmp_path / "out.parquet") == {"ok": 40}
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12 * len(body) < 0.4 * (tmp_path / "out.tar").stat().st_size, (peak, len(body))
