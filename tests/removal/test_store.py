"""What is to be forgotten leaves no byte in the store, and all else stays."""

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from workflow_scripts.acquisition.states import State
from workflow_scripts.acquisition.store.record import Record
from workflow_scripts.acquisition.store.store import Store
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.removal.store import remove_urls

URLS = [f"http://a.test/{n:03d}.jpg" for n in range(60)]
GONE = set(URLS[3:50:9])


def image(url: str) -> bytes:
    return f"<image of {url.rpartition('/')[2]}>".encode()


def name_of(job: str) -> str:
    """What a job names its segments, which is the start of a key."""
    return hashlib.sha256(job.encode()).hexdigest()[:16]


def fill(folder: Path, job: str, urls: list[str], ended: bool = True) -> None:
    with Store(folder, name_of(job)) as store:
        for url in urls:
            store.add(Record(url, State.OK, 200, [{"attempt": 1, "state": "ok", "read": 5}]), image(url))
        store.add(Record(f"{job}-down", State.HTTP_5XX, 500))
        if ended:
            store.seal()


def everything(results: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(results.rglob("*")) if path.is_file())


def test_no_byte_of_removed_urls_remains_and_others_are_kept(tmp_path: Path) -> None:
    store_of_world = tmp_path / ".fetched" / ("0f3a" * 16)
    fill(tmp_path / ".fetched", "a", URLS[:30])
    fill(tmp_path / ".fetched", "killed", URLS[30:50], ended=False)
    fill(tmp_path / ".fetched", "untouched", URLS[50:])
    fill(store_of_world, "a", URLS[:10])
    untouched = (tmp_path / ".fetched" / f"{name_of('untouched')}-0.jsonl").stat()
    assert all(image(url) in everything(tmp_path) for url in URLS)
    assert remove_urls(tmp_path, GONE) == 6 + 1
    left = everything(tmp_path)
    assert not [url for url in GONE if url.encode() in left or image(url) in left]
    assert (tmp_path / ".fetched" / f"{name_of('untouched')}-0.jsonl").stat() == untouched
    with Store(tmp_path / ".fetched", "b") as store:
        found = store.find([*URLS, "a-down", "killed-down"], "p")
        assert {url: store.data(record) for url, record in found.items() if record.size} == {
            url: image(url) for url in URLS if url not in GONE
        }
        assert (found["a-down"].round, found["killed-down"].round) == (1, 0), "only what was final stays final"
    assert remove_urls(tmp_path, GONE) == 0 and remove_urls(tmp_path, []) == 0


def test_a_download_that_runs_now_is_not_touched(tmp_path: Path) -> None:
    with Store(tmp_path / ".fetched", name_of("live")) as store:
        store.add(Record(URLS[0], State.OK, 200), b"image")
        assert remove_urls(tmp_path, URLS[1:2]) == 0
        with pytest.raises(PipelineError, match=r"cannot remove URLs in .*-0: 1 URLs of a running download"):
            remove_urls(tmp_path, URLS[:1])
    assert remove_urls(tmp_path, URLS[:1]) == 1


@pytest.mark.parametrize("moment", range(6))
def test_a_removal_killed_midway_and_repeated_has_the_same_outcome(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    fill(tmp_path / ".fetched", "a", URLS[:30])
    steps = 0

    def until_killed(function: Callable[..., Any]) -> Callable[..., Any]:
        def step(path: Any, *args: Any, **options: Any) -> Any:
            nonlocal steps
            if not str(path).endswith(".lock"):
                steps += 1
                if steps > moment:
                    raise KeyboardInterrupt
            return function(path, *args, **options)

        return step

    with monkeypatch.context() as patched:
        for name in ("rename", "unlink"):
            patched.setattr(os, name, until_killed(getattr(os, name)))
        with pytest.raises(KeyboardInterrupt):  # at one of three names given and three files removed
            remove_urls(tmp_path, GONE)
    (tmp_path / ".fetched" / f".{'0' * 32}.jsonl").write_bytes(URLS[3].encode())  # killed earlier on
    (tmp_path / ".fetched" / f".{'0' * 32}.bin").write_bytes(image(URLS[3]))
    remove_urls(tmp_path, GONE)
    assert not [url for url in GONE if image(url) in everything(tmp_path)]
    with Store(tmp_path / ".fetched", "b") as store:
        assert set(store.find(URLS[:30], "p")) == set(URLS[:30]) - GONE
    assert remove_urls(tmp_path, URLS[:1]) >= 1
    assert image(URLS[0]) not in everything(tmp_path), "nor does a copy lie where no segment is"
    assert not list(tmp_path.rglob("*.lock"))


@pytest.mark.parametrize(
    "changed", [{"size": "12"}, {"offset": None}, {"size": 1 << 50}, {"url": 5}, {"finished": None}]
)
def test_an_edited_line_does_not_stop_a_removal(tmp_path: Path, changed: dict[str, Any]) -> None:
    fill(tmp_path / ".fetched", "a", URLS[:6])
    path = tmp_path / ".fetched" / f"{name_of('a')}-0.jsonl"
    lines = path.read_bytes().splitlines()
    lines[2] = json.dumps({**json.loads(lines[2]), **changed}).encode()
    path.write_bytes(b"\n".join(lines) + b"\n")
    assert remove_urls(tmp_path, URLS[:1]) == 1
    assert image(URLS[0]) not in everything(tmp_path) and image(URLS[5]) in everything(tmp_path)


def test_bytes_with_lost_journal_lines_are_reported_and_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    fill(tmp_path / ".fetched", "a", URLS[:6])
    fill(tmp_path / ".fetched", "b", URLS[6:9])
    path = tmp_path / ".fetched" / f"{name_of('a')}-0.jsonl"
    lines = path.read_bytes()
    path.unlink()
    assert remove_urls(tmp_path, [URLS[1], URLS[7]]) == 1
    assert f"{name_of('a')}-0.bin may hold what is to be removed: its lines are missing" in caplog.text
    path.write_bytes(lines)
    assert remove_urls(tmp_path, [URLS[1], URLS[7]]) == 1
    with Store(tmp_path / ".fetched", "c") as store:
        assert set(store.find(URLS[:9], "p")) == {*URLS[:9]} - {URLS[1], URLS[7]}


def test_corrupt_lines_affect_no_others_and_hide_no_bytes(tmp_path: Path) -> None:
    fill(tmp_path / ".fetched", "a", URLS[:10])
    path = tmp_path / ".fetched" / f"{name_of('a')}-0.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    for number in (2, 5):
        lines[number] = b"?" * (len(lines[number]) - 1) + b"\n"
    path.write_bytes(b"".join(lines))
    assert remove_urls(tmp_path, [URLS[8]]) == 1
    with Store(tmp_path / ".fetched", "b") as store:
        assert set(store.find(URLS[:10], "p")) == {URLS[n] for n in (0, 1, 3, 4, 6, 7, 9)}
    fill(tmp_path / ".fetched", "c", URLS[:3])
    path = tmp_path / ".fetched" / f"{name_of('c')}-0.jsonl"
    path.write_bytes(b"?" * 10 + path.read_bytes()[10:])
    assert remove_urls(tmp_path, URLS[:1]) == 1, "the one of a"
    assert image(URLS[0]) not in everything(tmp_path)
