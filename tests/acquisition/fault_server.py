"""A loopback HTTP server that misbehaves by path and attempt, and logs what it was asked."""

import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from PIL import Image

from tests.acquisition.pictures import encoded, jpeg, photo


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

    def redirect(self, to: str) -> None:
        self.send(b"", 302, Location=to)

    def stall(self) -> None:
        self.site.closing.wait(5)
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
    """Routes and log of one server. ``log``: (monotonic seconds, host, path); ``most``: requests at once, at most."""

    routes: Mapping[str, Route]
    delay: Callable[[str], float] = lambda path: 0.0
    log: list[tuple[float, str, str]] = field(default_factory=list)
    asked: Counter[str] = field(default_factory=Counter)
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
def serving(routes: Mapping[str, Route], delay: Callable[[str], float] = lambda path: 0.0) -> Iterator[FaultServer]:
    """Serve ``routes`` on a free loopback port until the block ends; bytes are answers of 200."""
    site = FaultServer(routes, delay)
    with _Server(("127.0.0.1", 0), type("Bound", (Handler,), {"site": site})) as server:
        site.port = int(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield site
        finally:
            site.closing.set()
            server.shutdown()
            thread.join()


def _then(first: Callable[[Handler], None], body: bytes) -> Route:
    """A fault at the first attempt, ``body`` from the second on."""
    return lambda handler, attempt: first(handler) if attempt == 1 else handler.send(body)


def _cut_off(handler: Handler) -> None:
    handler.send(b"\xff\xd8\xff" + bytes(50), length=5000)
    handler.reset()


def _slow_body(handler: Handler, _: int) -> None:
    handler.send(b"\xff\xd8\xff" + bytes(50), length=5000)
    handler.stall()


def faults() -> dict[str, tuple[Route, str, int]]:
    """Path -> what the server does, the final state, and the requests that three attempts allow."""
    good = jpeg()
    html = b"<!doctype html><html><body>not here any more</body></html>"
    turned = photo(80, 60).getexif()
    turned[0x0112] = 6
    frames = [photo(80, 60, seed) for seed in (1, 2)]
    return {
        "/good.jpg": (good, "ok", 1),
        "/404.jpg": (lambda h, _: h.send(html, 404), "http_4xx", 1),
        "/410.jpg": (lambda h, _: h.send(html, 410), "http_4xx", 1),
        "/500.jpg": (lambda h, _: h.send(html, 500), "http_5xx", 3),
        "/500-then-ok.jpg": (_then(lambda h: h.send(b"", 500), good), "ok", 2),
        "/429.jpg": (lambda h, _: h.send(b"", 429, Retry_After="0"), "rate_limited", 3),
        "/429-then-ok.jpg": (_then(lambda h: h.send(b"", 429, Retry_After="0"), good), "ok", 2),
        "/206.jpg": (lambda h, _: h.send(b"", 206), "bad_response", 3),
        "/slow-headers.jpg": (lambda h, _: h.stall(), "timeout", 3),
        "/slow-body.jpg": (_slow_body, "timeout", 3),
        "/stall-then-ok.jpg": (_then(Handler.stall, good), "ok", 2),
        "/reset.jpg": (lambda h, _: _cut_off(h), "reset", 3),
        "/reset-then-ok.jpg": (_then(_cut_off, good), "ok", 2),
        "/truncated.jpg": (good[:-300], "truncated", 1),
        "/html.jpg": (html, "not_an_image", 1),
        "/wrong-type.jpg": (lambda h, _: h.send(good, Content_Type="text/html"), "ok", 1),
        "/removed.jpg": (lambda h, _: h.redirect("/removed.png"), "placeholder", 1),
        "/moved.jpg": (lambda h, _: h.redirect("/good.jpg"), "ok", 1),
        "/loop.jpg": (lambda h, _: h.redirect("/loop.jpg"), "redirect_loop", 4),
        "/private.jpg": (lambda h, _: h.redirect("http://127.0.0.1:9/good.jpg"), "blocked_address", 1),
        "/metadata.jpg": (lambda h, _: h.redirect("http://169.254.169.254/latest"), "blocked_address", 1),
        "/file.jpg": (lambda h, _: h.redirect("file:///etc/passwd"), "bad_url", 1),
        "/large.jpg": (lambda h, _: h.send(good, length=300 << 20), "too_large", 1),
        "/large-unsaid.jpg": (b"\xff\xd8\xff" + bytes(120_000), "too_large", 1),
        "/bomb.png": (encoded(Image.new("1", (3000, 3000)), "PNG"), "decompression_bomb", 1),
        "/zero.jpg": (b"", "empty", 1),
        "/small.png": (encoded(photo(4, 4), "PNG"), "too_small", 1),
        "/long.png": (encoded(photo(400, 16), "PNG"), "aspect", 1),
        "/image.webp": (encoded(photo(80, 60), "WEBP"), "ok", 1),
        "/still.gif": (encoded(photo(80, 60), "GIF"), "ok", 1),
        "/animated.gif": (encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]), "ok", 1),
        "/cmyk.jpg": (encoded(photo(80, 60).convert("CMYK"), "JPEG"), "ok", 1),
        "/turned.jpg": (jpeg(exif=turned), "ok", 1),
    }
