"""Answers of hosts, byte by byte as a server may send them."""

import asyncio
import gzip
import random
import socket
from pathlib import Path

from tests.fuzz.mutate import mutate_bytes
from tests.fuzz.target import Files, Target
from tests.fuzz.targets.images import pictures
from workflow_scripts.acquisition.http.client import Client
from workflow_scripts.acquisition.settings import Download
from workflow_scripts.acquisition.states import State

VERSIONS = ("HTTP/1.1",) * 20 + ("HTTP/1.0", "HTTP/9.9", "ICY", "", "HTTP/1.1\x00")
STATUSES = (
    "200 OK",
    "200",
    "200 OK",
    "206 Partial",
    "301 Moved",
    "302 Found",
    "304 Not Modified",
    "404 Not Found",
    "408 x",
    "429 Slow",
    "500 x",
    "503 x",
    "100 Continue",
    "101 Switching",
    "600 x",
    "999 x",
    "1000 x",
    "0 x",
    "-1 x",
    "abc",
)
HEADERS = (
    "Content-Length: 10",
    "Content-Length: -1",
    "Content-Length: 99999999999999999999",
    "Content-Length: abc",
    "Transfer-Encoding: chunked",
    "Transfer-Encoding: gzip, chunked",
    "Content-Encoding: gzip",
    "Connection: close",
    "Location: http://a.test/next",
    "Location: /b",
    "Location: //b.test:99999/",
    "Location: http://[::1",
    "Location: ",
    "Location: http://127.0.0.1/",
    "Location: http://8.8.8.8/",
    "Location: file:///etc/passwd",
    "Location: \xff\xfe",
    "Location: https://a.test/",
    "Location: http://nowhere.invalid/",
    "Location: http://a.test/removed.png",
    "Retry-After: 5",
    "Retry-After: " + "9" * 400,
    "Retry-After: Wed, 99 Foo 99999 99:99:99 GMT",
    "Retry-After: -1",
    "X-Robots-Tag: noai",
    "X-Robots-Tag: otherbot: noai, : ,,",
    "Set-Cookie: a=b; domain=\x00",
    "A" * 9000 + ": b",
    "X: " + "y" * 9000,
    "no colon",
    " folded",
    ": no name",
    "Content-Type: image/jpeg; charset=\xe9",
    "\x00: \x00",
)


class Fuzzed(Target):
    """One to three answers, given to one request and the redirects that follow."""

    kinds = frozenset({"ok", "http_4xx", "bad_response", "reset", "not_an_image", "empty"})

    def make(self, rng: random.Random) -> Files:
        """Each answer a file; they are given in turn."""
        return {f"{number}": _answer(rng) for number in range(rng.choice((1, 1, 2, 3)))}

    def run(self, folder: Path) -> str:
        """Ask a server in this process that sends these bytes and then closes."""
        return asyncio.run(_ask([path.read_bytes() for path in sorted(folder.iterdir())]))


def _answer(rng: random.Random) -> bytes:
    status = STATUSES[0] if rng.random() < 0.5 else rng.choice(STATUSES)
    body = rng.choice((pictures()[0], pictures()[0], b"", b"<html>", gzip.compress(bytes(100_000)), bytes(70_000)))
    headers = [rng.choice(HEADERS) for _ in range(rng.choice((0, 0, 0, 1, 1, 2, 5)))]
    if rng.random() < 0.5:
        headers.append(f"Content-Length: {len(body) + rng.choice((0, 0, 0, 1, -1))}")
    if rng.random() < 0.02:
        headers += ["X: y"] * 2000
    if any("chunked" in one for one in headers):
        size = rng.choice((f"{len(body):x}", f"{len(body):x};ext", "ffffffffffffffff", "-1", "zz", "0"))
        body = f"{size}\r\n".encode() + body + rng.choice((b"\r\n0\r\n\r\n", b"", b"\r\n0\r\nTrailer: x\r\n\r\n"))
    line = f"{rng.choice(VERSIONS)} {status}"
    end = rng.choice(("\r\n", "\r\n", "\r\n", "\n"))
    head = end.join([line, *headers, "", ""]).encode("latin-1", errors="replace")
    return mutate_bytes(head + body, rng) if rng.random() < 0.2 else head + body


async def _ask(answers: list[bytes]) -> str:
    given = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal given
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answers[given % len(answers)])
            given += 1
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, family=socket.AF_INET)
    address, port = server.sockets[0].getsockname()
    hosts = {"default": {"rate": 1e6, "connections": 8}}
    targets = dict.fromkeys(("a.test", "b.test"), f"{address}:{port}")
    limits = {"hosts": hosts, "deadline": 20, "max_bytes": 50_000, "connect_to": targets}
    client = Client(Download.model_validate(limits))
    client._addresses.may_ask = lambda _: False  # type: ignore[method-assign]  # no input reaches the network
    asyncio.get_running_loop().getaddrinfo = _no_name  # type: ignore[method-assign]
    async with server, client, client.answer("http://a.test/picture.jpg") as answer:
        assert isinstance(answer.state, State) and len(answer.body) <= 50_000
        assert answer.retry_after is None or answer.retry_after >= 0
        return str(answer.state)


async def _no_name(*_: object, **__: object) -> list[object]:
    raise socket.gaierror(socket.EAI_NONAME, "no network here")
