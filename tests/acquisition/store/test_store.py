"""What was fetched once is found again, by whichever job and however its fetcher ended."""

import json
import random
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from workflow_scripts.acquisition.states import State
from workflow_scripts.acquisition.store.journal import settle
from workflow_scripts.acquisition.store.record import Record
from workflow_scripts.acquisition.store.segment import LENGTH, OFFSET, seal, search, stems, url_hash
from workflow_scripts.acquisition.store.store import Store
from workflow_scripts.core.errors import PipelineError

ASKED = {"attempt": 1, "state": "ok", "read": 5}
URLS = [f"http://a.test/{n}.jpg" for n in range(300)]


def body(url: str) -> bytes:
    return (url * 3).encode()


def keep(folder: Path, job: str, urls: list[str], ended: bool = True) -> None:
    with Store(folder, job) as store:
        for url in urls:
            store.add(Record(url, State.OK, 200, [ASKED]), body(url))
        if ended:
            store.seal()


def fail(store: Store, url: str, state: State = State.HTTP_5XX, round: int = 1, at: float = 0.0) -> None:
    store.add(Record(url, state, 503, [{**ASKED, "started": at}], round=round, finished=at))


@pytest.mark.parametrize("ended", [True, False])
def test_urls_are_found_across_all_segments(tmp_path: Path, ended: bool) -> None:
    mixed = random.Random(1).sample(URLS, len(URLS))
    for part in range(6):
        keep(tmp_path, f"job{part}", mixed[part * 50 : part * 50 + 50], ended)
    with Store(tmp_path, "other") as store:
        wanted = [*URLS[::7], "http://a.test/none.jpg"]
        found = store.find(wanted, "p")
        assert sorted(found) == sorted(URLS[::7])
        assert all(store.data(record) == body(url) for url, record in found.items())
        assert all((record.round, record.attempts) == (1, [ASKED]) for record in found.values())
        assert store.find([], "p") == {}
    assert len(list(tmp_path.glob("*.idx"))) == 6  # killed jobs' segments were settled


def test_urls_of_a_running_job_are_found(tmp_path: Path) -> None:
    with Store(tmp_path, "live") as live, Store(tmp_path, "other") as other:
        live.add(Record(URLS[0], State.OK, 200), b"image")
        fail(live, URLS[1])
        live.add(Record(URLS[2], State.HTTP_4XX, 404))
        found = other.find(URLS[:3], "p")
        assert other.data(found[URLS[0]]) == b"image"
        # It may still ask again for what may pass; what is gone is gone.
        assert {url: record.round for url, record in found.items()} == {URLS[0]: 1, URLS[1]: 0, URLS[2]: 1}


def test_failures_of_a_killed_job_are_not_final_and_keep_their_attempts(tmp_path: Path) -> None:
    with Store(tmp_path, "a") as store:
        fail(store, URLS[0], at=1.0)
    with Store(tmp_path, "a") as store:
        assert store.find(URLS, "p")[URLS[0]].round == 0
        fail(store, URLS[0], at=2.0)
        store.seal()
    with Store(tmp_path, "b") as store:
        found = store.find(URLS, "p")[URLS[0]]
    assert found.round == 1 and [one["started"] for one in found.attempts] == [1.0, 2.0]
    assert [stem.name for stem in stems(tmp_path)] == ["a-0", "a-1"]


def test_final_failures_survive_a_job_ending_while_others_settle_segments(tmp_path: Path) -> None:
    with Store(tmp_path, "a") as store:
        fail(store, URLS[0], at=1.0)
        looked_at = stems(tmp_path)
        store.seal()
    assert list(settle(looked_at)) == []
    with Store(tmp_path, "b") as store:
        assert store.find(URLS, "p")[URLS[0]].round == 1


def test_the_best_outcome_of_a_url_counts(tmp_path: Path) -> None:
    raw, other, later = URLS[:3]
    with Store(tmp_path, "a") as store:
        store.add(Record(raw, State.OK, 200, preparation="p", finished=9.0), b"prepared")
        store.add(Record(raw, State.OK, 200, finished=1.0), b"raw")
        store.add(Record(other, State.OK, 200, preparation="q", finished=1.0), b"prepared otherwise")
        fail(store, other, round=2, at=2.0)
        fail(store, later, round=2, at=5.0)
        store.add(Record(later, State.HTTP_4XX, 410, round=3, finished=6.0))
        store.seal()
    with Store(tmp_path, "b") as store:
        found = store.find(URLS, "p")
        assert store.data(found[raw]) == b"raw" and found[raw].preparation == ""
        assert (found[other].state, found[other].round) == (State.HTTP_5XX, 2)
        assert (found[later].state, found[later].http_status, found[later].round) == (State.HTTP_4XX, 410, 3)
        assert store.data(store.find([other], "q")[other]) == b"prepared otherwise"


def test_lost_bytes_read_as_none_until_fetched_again(tmp_path: Path) -> None:
    keep(tmp_path, "a", URLS[:2])
    (tmp_path / "a-0.bin").write_bytes(b"?" * 200)
    with Store(tmp_path, "b") as store:
        assert store.data(store.find(URLS[:1], "p")[URLS[0]]) is None
        store.add(Record(URLS[0], State.OK, 200, finished=time.time() + 1), b"again")
        store.seal()
    with Store(tmp_path, "c") as store:
        assert store.data(store.find(URLS[:1], "p")[URLS[0]]) == b"again"


def edit(lines: Path, number: int, **changed: Any) -> None:
    """Change a line of a segment; spaces keep its length, and so the index."""
    found = lines.read_bytes().splitlines()
    text = json.dumps({**json.loads(found[number]), **changed}, separators=(",", ":")).encode()
    assert len(text) <= len(found[number])
    found[number] = text[:-1].ljust(len(found[number]) - 1) + b"}"
    lines.write_bytes(b"\n".join(found) + b"\n")


@pytest.mark.parametrize("changed", [{"size": ""}, {"offset": 1 << 40, "attempts": []}, {"sha256": None}, {"url": 5}])
def test_a_damaged_line_is_skipped_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, changed: dict[str, Any]
) -> None:
    keep(tmp_path, "a", URLS[:4])
    edit(tmp_path / "a-0.jsonl", 2, **changed)
    with Store(tmp_path, "b") as store:
        found = store.find(URLS[:4], "p")
        assert [url for url in URLS[:4] if url in found and store.data(found[url]) == body(url)] == [
            *(URLS[:2] + URLS[3:4])
        ]
    assert ("a-0: 1 lines are damaged; what they name is fetched again" in caplog.text) == ("offset" not in changed)


def test_index_entries_with_invalid_offsets_are_skipped_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    keep(tmp_path, "a", URLS[:3])
    index = (tmp_path / "a-0.idx").read_bytes()
    end = 3 * (8 + OFFSET.itemsize + LENGTH.itemsize)
    (tmp_path / "a-0.idx").write_bytes(index[:24] + b"\xff" * (end - 24) + index[end:])
    with Store(tmp_path, "b") as store:
        assert store.find(URLS[:3], "p") == {}
    assert "a-0: 3 lines are damaged" in caplog.text


def test_a_job_never_writes_over_a_segment_whose_lines_were_lost(tmp_path: Path) -> None:
    keep(tmp_path, "a", URLS[:3])
    lines = (tmp_path / "a-0.jsonl").read_bytes()
    (tmp_path / "a-0.jsonl").unlink()
    keep(tmp_path, "a", URLS[3:5])
    assert [stem.name for stem in stems(tmp_path)] == ["a-1"]
    (tmp_path / "a-0.jsonl").write_bytes(lines)
    with Store(tmp_path, "b") as store:
        found = store.find(URLS[:5], "p")
        assert [store.data(found[url]) for url in URLS[:5]] == [body(url) for url in URLS[:5]]


def test_urls_with_colliding_hashes_are_distinguished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workflow_scripts.acquisition.store.segment.url_hash", lambda url: 7)
    monkeypatch.setattr("workflow_scripts.acquisition.store.store.url_hash", lambda url: 7)
    keep(tmp_path, "a", URLS[:20])
    with Store(tmp_path, "b") as store:
        found = store.find(URLS[3:5], "p")
        assert {url: store.data(record) for url, record in found.items()} == {url: body(url) for url in URLS[3:5]}


def test_the_index_is_sorted_and_a_damaged_index_is_reported(tmp_path: Path) -> None:
    keep(tmp_path, "a", URLS)
    stem = tmp_path / "a-0"
    hashes = np.frombuffer(stem.with_suffix(".idx").read_bytes()[: 8 * len(URLS)], dtype="<u8")
    assert hashes.tolist() == sorted(url_hash(url) for url in URLS)
    wanted = np.array(sorted(map(url_hash, URLS[5:8])), dtype=np.uint64)
    assert len(search(stem, wanted)) == 3 and search(stem, np.array([1], dtype=np.uint64)) == []
    whole = stem.with_suffix(".idx").read_bytes()
    stem.with_suffix(".idx").write_bytes(whole[:-3])
    with pytest.raises(PipelineError, match=r"damaged index in .*a-0\.idx: 18 extra bytes; delete it"):
        search(stem, wanted)
    seal(stem, ended=True)
    assert stem.with_suffix(".idx").read_bytes() == whole
