"""A loopback HTTP server that misbehaves by path and attempt, and logs what it was asked.

A final state must not depend on when a client was killed, though the server counts attempts that the client never came
to note. So a route may only get better with the attempt, within fewer attempts than a row has; what changes between two
rounds of a download changes with :attr:`FaultServer.era`, which the test sets.
"""

import socket
import ssl
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Handler(BaseHTTPRequestHandler):
    """Answers by the server's routes; a route gets the handler and the number of the attempt, from 1."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    site: "FaultServer"
    counted = False

    def do_GET(self) -> None:
        host = (self.headers.get("Host") or "").partition(":")[0]
        with self.site.lock:
            self.site.log.append((time.monotonic(), host, self.path))
            self.site.asked[self.path] += 1
            attempt = self.site.asked[self.path]
            self.site.now += 1
            self.counted = True
            self.site.most = max(self.site.most, self.site.now)
        try:
            self.site.agent = self.headers.get("User-Agent", "")
            route = self.site.routes.get(self.path)
            if route is None:
                self.send(b"gone", 404)
            elif isinstance(route, bytes):
                time.sleep(self.site.delay(self.path))
                self.send(route)
            else:
                route(self, attempt)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        finally:
            self.leave()

    def leave(self) -> None:
        """The client may ask for the next url once it has this answer, so a request ends before its last bytes."""
        with self.site.lock:
            self.site.now -= self.counted
            self.counted = False

    def send(self, body: bytes, status: int = 200, length: int | None = None, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.leave()
        self.end_headers()
        self.wfile.write(body)

    def drip(self, start: bytes, more: Callable[[int], bytes], pause: float, pieces: int) -> None:
        """Send ``start`` and then a piece after each pause, as long as the client stays."""
        self.leave()
        self.wfile.write(start)
        for number in range(pieces):
            if self.site.closing.wait(pause):
                break
            self.wfile.write(more(number))
            with self.site.lock:
                self.site.sent[self.path] += len(more(number))
        self.close_connection = True

    def chunked(self, pieces: int, piece: bytes, pause: float = 0.0) -> None:
        """A body of unknown length."""
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        self.drip(head, lambda _: b"%x\r\n%s\r\n" % (len(piece), piece), pause, pieces)
        self.wfile.write(b"0\r\n\r\n")
        self.close_connection = False  # else the next request on this connection would fail, which is another fault

    def redirect(self, to: str) -> None:
        self.send(b"", 302, Location=to)

    def stall(self) -> None:
        self.site.closing.wait(30)
        self.close_connection = True

    def reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def handle(self) -> None:
        with suppress(ConnectionError, ValueError):
            super().handle()

    def finish(self) -> None:
        with suppress(OSError, ValueError):
            super().finish()

    def log_message(self, format: str, *args: object) -> None:
        """Keep the test's output clean."""


Route = bytes | Callable[[Handler, int], None]


@dataclass
class FaultServer:
    """Routes and log of one server.

    Attributes:
        log: (monotonic seconds, host, path) of each request.
        asked: requests by path.
        sent: bytes of bodies that were sent piece by piece, by path.
        most: requests at once, at most.
        era: see the module; from 1.
    """

    routes: Mapping[str, Route]
    delay: Callable[[str], float] = lambda path: 0.0
    log: list[tuple[float, str, str]] = field(default_factory=list)
    asked: Counter[str] = field(default_factory=Counter)
    sent: Counter[str] = field(default_factory=Counter)
    era: int = 1
    agent: str = ""
    now: int = 0
    most: int = 0
    port: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    closing: threading.Event = field(default_factory=threading.Event)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


@contextmanager
def serving(
    routes: Mapping[str, Route], delay: Callable[[str], float] = lambda path: 0.0, certificate: Path | None = None
) -> Iterator[FaultServer]:
    """Serve ``routes`` on a free loopback port until the block ends; bytes are answers of 200.

    Args:
        routes: answer by path.
        delay: seconds before an answer of bytes, by path.
        certificate: file with key and certificate; the server then speaks TLS.
    """
    site = FaultServer(routes, delay)
    with _Server(("127.0.0.1", 0), type("Bound", (Handler,), {"site": site})) as server:
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        site.port = int(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield site
        finally:
            site.closing.set()
            server.shutdown()
            thread.join()
