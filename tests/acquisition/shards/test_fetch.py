"""Each fault of the web ends in its documented state, politely, and nothing finished is requested again."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from tests.acquisition import download_states
from tests.acquisition.fault_server import Route, serving
from tests.acquisition.pictures import jpeg
from workflow_scripts.acquisition.http import client
from workflow_scripts.acquisition.settings import Download
from workflow_scripts.acquisition.shards.download_state import DownloadState
from workflow_scripts.acquisition.shards.fetch import Monitor
from workflow_scripts.acquisition.states import State
from workflow_scripts.core.errors import PipelineError

FAST = {"rate": 5000, "connections": 16}


def settings(**changed: Any) -> Download:
    fast = {"hosts": {"default": FAST}, "backoff": 0.01, "attempts": 3, "deadline": 60.0}
    return Download.model_validate({**fast, "max_bytes": 100_000, "max_pixels": 1_000_000, "max_side": 64, **changed})


def fetched(
    folder: Path, urls: list[str], address: str, names: tuple[str, ...] = ("a.test",), **changed: Any
) -> DownloadState:
    return download_states.fetched(folder, urls, settings(**changed), dict.fromkeys(names, address))


def test_temporary_failures_are_retried_for_the_set_number_of_rounds(tmp_path: Path) -> None:
    routes: dict[str, Route] = {
        "/a.jpg": lambda handler, attempt: handler.send(jpeg(), 200 if attempt == 5 else 500),
        "/down.jpg": lambda handler, attempt: handler.send(b"", 500),
    }
    with serving(routes) as site:
        urls = [f"http://a.test/{name}.jpg" for name in ("a", "down", "gone")]
        downloads = fetched(tmp_path, urls, site.address, attempts=2, rounds=3)
        assert dict(site.asked) == {"/a.jpg": 5, "/down.jpg": 6, "/gone.jpg": 1}
        assert [str(downloads.done[url].state) for url in urls] == ["ok", "http_5xx", "http_4xx"]
        assert [one["round"] for one in downloads.done[urls[0]].attempts] == [1, 1, 2, 2, 3]


def test_unreachable_and_blocked_addresses_end_in_their_states(tmp_path: Path) -> None:
    urls = {
        "http://127.0.0.1:9/a.jpg": "blocked_address",
        "http://localhost:9/a.jpg": "blocked_address",
        "http://2130706433:9/a.jpg": "bad_url",  # 127.0.0.1 as one number
        "http://[::ffff:10.0.0.1]/a.jpg": "blocked_address",
        "http://closed.test/a.jpg": "connect",
        "http://a.test/removed.png": "placeholder",
        "ftp://a.test/a.jpg": "bad_url",
        "http://": "bad_url",
    }  # fmt: skip
    journal = fetched(tmp_path / "work", list(urls), "127.0.0.1:1", names=("closed.test",), attempts=2)
    assert {url: str(journal.done[url].state) for url in urls} == urls
    assert len(journal.done["http://closed.test/a.jpg"].attempts) == 2


def test_known_placeholder_bytes(tmp_path: Path) -> None:
    stand_in = jpeg(seed=5)
    digest = hashlib.sha256(stand_in).hexdigest()
    with serving({"/x.jpg": stand_in}) as site:
        urls = ["http://a.test/x.jpg"]
        changed = {"placeholder_sha256": [digest], "contact": "lab@example.org"}
        journal = fetched(tmp_path / "work", urls, site.address, **changed)
    assert [str(journal.done[url].state) for url in urls] == ["placeholder"]
    assert site.agent.endswith("(+lab@example.org)")


def test_retry_after_slows_only_the_host_that_sent_it(tmp_path: Path) -> None:
    refusals: list[float] = []

    def refuse_once(handler: Any, attempt: int) -> None:
        if attempt == 1:
            refusals.append(handler.site.log[-1][0])
            handler.send(b"", 429, Retry_After="1")
        else:
            handler.send(jpeg())

    routes = {"/0.jpg": refuse_once} | {f"/{n}.jpg": jpeg(seed=n) for n in range(1, 30)}
    urls = [f"http://{host}/{n}.jpg" for host in ("a.test", "b.test") for n in range(0 if host == "a.test" else 10, 30)]
    hosts = {"a.test": {"rate": 50, "connections": 1}, "default": {"rate": 50, "connections": 1}}
    with serving(routes) as site:
        journal = _with_hosts(tmp_path, urls, site.address, hosts)
    assert all(record.state == "ok" for record in journal.done.values())
    at = refusals[0]
    a, b = ([t for t, host, _ in site.log if host == name] for name in ("a.test", "b.test"))
    assert not [t for t in a if at < t < at + 0.95], "a refused host was asked during its pause"
    assert [t for t in b if at < t < at + 0.95], "another host had to wait too"
    assert max(a) > at + 0.95


def _with_hosts(tmp_path: Path, urls: list[str], address: str, policies: dict[str, Any]) -> DownloadState:
    targets = {url.split("/")[2]: address for url in urls}
    return download_states.fetched(tmp_path / "work", urls, settings(hosts=policies), targets)


def test_a_collapsing_success_share_stops_the_job(tmp_path: Path) -> None:
    urls = [f"http://a.test/{n}.jpg" for n in range(400)]
    with (
        serving({}) as site,
        pytest.raises(
            PipelineError,
            match=r"too few images received.*0 of the last 200 URLs ok \(http_4xx 200; mostly from a.test 200\)",
        ),
    ):
        fetched(tmp_path / "work", urls, site.address, min_ok_share=0.1)
    assert len(download_states.kept(tmp_path / "work")) in range(200, 300)
    assert site.asked.total() < 300


def test_pauses_grow_with_jitter_and_change_no_state(tmp_path: Path) -> None:
    from workflow_scripts.acquisition.shards.fetch import _Fetch

    with download_states.opened(tmp_path, settings(), []) as journal:
        worker = _Fetch(journal, settings(backoff=1.0), 1)
        waits = [worker._pause("http://a.test/1", n) for n in range(1, 9)]
        again = [worker._pause("http://a.test/1", n) for n in range(1, 9)]
    assert waits == again
    assert all(0.5 * 2**n <= wait < 1.5 * 2**n for n, wait in enumerate(waits[:4]))
    assert worker._pause("http://a.test/1", 12) == 300.0


def test_hosts_that_redirect_to_each_other_do_not_wait_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "MAX_BODIES", 1)
    good = jpeg()
    routes: dict[str, Any] = {f"/end{n}.jpg": good for n in range(20)}
    for n in range(20):
        there = f"http://{'b' if n % 2 else 'a'}.test/end{n}.jpg"
        routes[f"/{n}.jpg"] = lambda handler, _, there=there: handler.redirect(there)
    urls = [f"http://{'a' if n % 2 else 'b'}.test/{n}.jpg" for n in range(20)]
    with serving(routes) as site:
        one_each = {"default": {"rate": 5000, "connections": 1}}
        hosts = ("a.test", "b.test")
        journal = fetched(tmp_path / "work", urls, site.address, hosts, hosts=one_each)
    assert {str(record.state) for record in journal.done.values()} == {"ok"}


def test_the_last_rows_count_not_all() -> None:
    watch = Monitor(0.3, 10)
    for _ in range(1000):
        watch.ended("a.test", State.OK)
    for _ in range(7):
        watch.ended("b.test", State.HTTP_4XX)
    with pytest.raises(PipelineError) as caught:
        watch.ended("c.test", State.DNS)
    said = str(caught.value)
    assert said.startswith(
        "too few images received in download: 2 of the last 10 URLs ok (http_4xx 7, dns 1; mostly from"
    )
    assert "mostly from b.test 7, c.test 1); " in said and said.endswith("lower download.min_ok_share, which is 0.3")


def test_a_success_share_at_the_limit_or_a_short_run_continues() -> None:
    watch = Monitor(0.3, 10)
    for n in range(100):
        watch.ended("a.test", State.OK if n % 10 < 3 else State.TIMEOUT)
    short = Monitor(0.3, 10)
    for _ in range(9):
        short.ended("a.test", State.TIMEOUT)


def test_rows_that_failed_before_do_not_count_towards_the_share() -> None:
    watch = Monitor(0.5, 10)
    for _ in range(100):
        watch.ended("a.test", State.TIMEOUT, again=True)
    assert watch.note() == "0% ok"
