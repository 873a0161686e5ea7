"""Names, certificates, and that nothing holds up the network."""

import asyncio
import fcntl
import socket
import struct
import termios
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from aiohttp.abc import ResolveResult
from aiohttp.resolver import ThreadedResolver

from tests.acquisition import download_states
from tests.acquisition.fault_server import Handler, Route, serving
from tests.acquisition.pictures import jpeg
from workflow_scripts.acquisition.http.client import Client
from workflow_scripts.acquisition.images.images import Stored, process
from workflow_scripts.acquisition.settings import Download
from workflow_scripts.acquisition.shards import download_state

SELF_SIGNED = Path(__file__).with_name("self_signed.pem")
FAST = {"rate": 5000, "connections": 4}


def states(folder: Path, urls: list[str], connect_to: dict[str, str], **changed: Any) -> list[tuple[str, int]]:
    """Final state and number of attempts of each url."""
    given = {"hosts": {"default": FAST}, "backoff": 0.01, "attempts": 2, "deadline": 60.0, **changed}
    ended = download_states.fetched(folder, urls, Download.model_validate(given), connect_to).done
    return [(str(ended[url].state), len(ended[url].attempts)) for url in urls]


def test_a_self_signed_certificate_is_a_tls_error(tmp_path: Path) -> None:
    with serving({"/a.jpg": jpeg()}, certificate=SELF_SIGNED) as site:
        assert states(tmp_path, ["https://a.test/a.jpg"], {"a.test": site.address}) == [("tls", 1)]
        assert not site.log


def test_a_server_without_tls_is_a_tls_error(tmp_path: Path) -> None:
    with serving({"/a.jpg": jpeg()}) as site:
        assert states(tmp_path, ["https://a.test/a.jpg"], {"a.test": site.address}) == [("tls", 1)]


def test_unresolvable_hosts_and_private_addresses_are_not_requested(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def look_up(_: ThreadedResolver, host: str, port: int, family: int) -> list[ResolveResult]:
        if host == "nowhere.test":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [ResolveResult(hostname=host, host="10.0.0.1", port=port, family=socket.AF_INET, proto=0, flags=0)]

    monkeypatch.setattr(ThreadedResolver, "resolve", look_up)
    urls = ["http://nowhere.test/a.jpg", "http://inside.test/a.jpg"]
    assert states(tmp_path, urls, {}) == [("dns", 2), ("blocked_address", 1)]


def test_robots_tags_count_by_the_setting_and_by_our_name(tmp_path: Path) -> None:
    def tagged(handler: Handler, _: int) -> None:
        handler.send(jpeg(), X_Robots_Tag="faithful-pairs: noimageai")

    with serving({"/a.jpg": tagged}) as site:
        one = (["http://a.test/a.jpg"], {"a.test": site.address})
        assert states(tmp_path / "ours", *one) == [("noai", 1)]
        assert states(tmp_path / "off", *one, respect_robots_tag=False) == [("ok", 1)]


def test_urls_that_wait_for_another_attempt_keep_no_others_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = [f"/bad{n}.jpg" for n in range(30)], [f"/good{n}.jpg" for n in range(5)]
    failing = dict.fromkeys(bad, lambda handler, _: handler.send(b"", 500))
    with serving({**failing, **dict.fromkeys(good, jpeg())}) as site:
        sleep = asyncio.sleep

        async def until_all_were_asked(seconds: float) -> None:
            looks = 1000 if seconds >= 1 else 0  # a pause between two attempts lasts as long as the test needs, or 10 s
            while len(site.asked) < 35 and looks:
                looks -= 1
                await sleep(0.01)
            await sleep(0.01)

        monkeypatch.setattr(asyncio, "sleep", until_all_were_asked)
        urls = [f"http://a.test{path}" for path in (*bad, *good)]
        ended = states(tmp_path, urls, {"a.test": site.address}, backoff=2.0)
    assert ended == [("http_5xx", 2)] * 30 + [("ok", 1)] * 5
    paths = [path for _, _, path in site.log]
    assert set(paths[:35]) == {*bad, *good}, "a second attempt came before the first of another"


def test_requests_continue_while_pictures_are_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"/{n}.jpg" for n in range(12)]
    with serving(dict.fromkeys(names, jpeg())) as site:

        def slow(data: bytes, limits: Download, digest: str | None = None) -> Stored:
            # The first picture takes until the server received as many more requests as may wait for the two threads.
            until = time.monotonic() + 10
            while site.asked.total() < 6 and time.monotonic() < until:
                time.sleep(0.005)
            assert site.asked.total() >= 6, "nothing was requested while a picture was decoded"
            return process(data, limits, digest)

        monkeypatch.setattr(download_state, "process", slow)
        urls = [f"http://a.test{name}" for name in names]
        assert states(tmp_path, urls, {"a.test": site.address}) == [("ok", 1)] * 12


def test_bodies_that_contradict_their_length_are_counted(tmp_path: Path) -> None:
    """Which reason it is depends on how much of the answer is read at once."""
    head, chunked = b"HTTP/1.1 200 OK\r\n", b"Transfer-Encoding: chunked\r\n\r\n"
    answers = {
        "/small.jpg": head + b"Content-Length: %d\r\n\r\n" % (len(jpeg()) // 2) + jpeg(),
        "/bad-chunk.jpg": head + chunked + b"zz\r\n" + jpeg(),
        "/huge-chunk.jpg": head + chunked + b"f" * 40 + b"\r\n" + jpeg(),
        "/trailers.jpg": head + chunked + b"0\r\n" + b"X-More: yes\r\n" * 50_000 + b"\r\n",
    }

    def route(data: bytes) -> Route:
        return lambda handler, _: handler.drip(data, lambda _: b"", 0.0, 0)

    with serving({path: route(data) for path, data in answers.items()}) as site:
        ended = states(tmp_path, [f"http://a.test{path}" for path in answers], {"a.test": site.address})
    assert {state for state, _ in ended} <= {"bad_response", "reset", "truncated", "empty"}


@pytest.mark.parametrize("late", [b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", b"more of the picture"])
def test_surplus_bytes_are_not_taken_for_the_next_response(late: bytes) -> None:
    """A Content-Length that is too small, or a second answer: it comes when the first one has been taken."""
    taken, sent, other = threading.Event(), threading.Event(), jpeg(seed=2)

    def too_much(handler: Handler, _: int) -> None:
        handler.send(jpeg(seed=1))
        taken.wait(10)
        handler.wfile.write(late)
        while struct.unpack("i", fcntl.ioctl(handler.connection, termios.TIOCOUTQ, bytes(4)))[0]:
            time.sleep(0.001)  # until the client's kernel has them
        sent.set()

    async def ask(address: str) -> bytes:
        settings = Download.model_validate({"hosts": {"default": FAST}, "connect_to": {"a.test": address}})
        async with Client(settings) as client:
            async with client.answer("http://a.test/a.jpg") as answer:
                assert answer.body == jpeg(seed=1)
            taken.set()
            await asyncio.to_thread(sent.wait, 10)
            for _ in range(5):  # the loop takes the bytes from the kernel
                await asyncio.sleep(0)
            async with client.answer("http://a.test/b.jpg") as answer:
                return answer.body

    with serving({"/a.jpg": too_much, "/b.jpg": other}) as site:
        assert asyncio.run(ask(site.address)) == other
