"""What goes wrong on the web, each with the state that it ends in."""

import gzip
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from copy import copy
from unittest import mock

import numpy as np
from PIL import Image
from yarl import URL

from tests.acquisition.fault_server import Handler, Route
from tests.acquisition.pictures import encoded, jpeg, photo
from workflow_scripts.acquisition.http.client import Answer, Client

SILENT = ("always-100.jpg", "stall.jpg", "slow-headers.jpg", "slow-body.jpg", "stalled-body.jpg")  # ends of paths
SILENT_AT_FIRST = "stall-then-ok.jpg"
SECONDS = 0.5  # after this, nobody waits for them any longer
SECONDS_AT_FIRST = 3.0  # within these, even a busy machine makes the first request, which alone is answered by silence


@contextmanager
def patient() -> Iterator[None]:
    """A short deadline for answers that do not come, and that of the settings for all others.

    So the settings can leave a busy machine all the time that it needs, and no test waits for long.
    """
    asked: Counter[URL] = Counter()
    ask = Client._ask

    def impatient(client: Client, url: URL) -> Awaitable[Answer]:
        asked[url] += 1
        at_first = url.path.endswith(SILENT_AT_FIRST) and asked[url] == 1
        if url.path.endswith(SILENT) or at_first:
            client = copy(client)
            deadline = SECONDS_AT_FIRST if at_first else SECONDS
            client._settings = client._settings.model_copy(update={"deadline": deadline})
        return ask(client, url)

    with mock.patch.object(Client, "_ask", impatient):
        yield


def _then(first: Callable[[Handler], None], body: bytes) -> Route:
    """A fault at the first attempt, ``body`` from the second on."""
    return lambda handler, attempt: first(handler) if attempt == 1 else handler.send(body)


def _cut_off(handler: Handler) -> None:
    handler.send(b"\xff\xd8\xff" + bytes(50), length=5000)
    handler.reset()


def _slow_body(handler: Handler, _: int) -> None:
    handler.send(b"\xff\xd8\xff" + bytes(50), length=5000)
    handler.stall()


def _raw(data: bytes) -> Route:
    def answer(handler: Handler, _: int) -> None:
        handler.wfile.write(data)
        handler.close_connection = True

    return answer


def _short(handler: Handler, _: int) -> None:
    handler.send(b"\xff\xd8\xff" + bytes(50), length=5000)
    handler.close_connection = True


def _long(handler: Handler, _: int) -> None:
    handler.send(jpeg(), length=len(jpeg()) + 1)
    handler.close_connection = True


def _status(status: int, **headers: str) -> Route:
    return lambda handler, _: handler.send(b"<html>no</html>", status, **headers)


def _tagged(tag: str) -> Route:
    return lambda handler, _: handler.send(jpeg(), X_Robots_Tag=tag)


def _gzip_without_end(handler: Handler, _: int) -> None:
    """A small answer that would unpack to a picture of any size, and does not end."""
    packer = gzip.compress(b"\xff\xd8\xff" + bytes(1 << 20))
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n")
    handler.drip(b"", lambda _: b"%x\r\n%s\r\n" % (len(packer), packer), 0.02, 500)


def _error_without_end(handler: Handler, _: int) -> None:
    piece = b"%x\r\n%s\r\n" % (4096, b"no" * 2048)
    handler.drip(b"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n", lambda _: piece, 0.0, 100_000)


def header_faults() -> dict[str, tuple[Route, str, int]]:
    """Answers that no HTTP allows, or that go on without end; see :func:`faults`."""
    good, start = jpeg(), b"HTTP/1.1 200 OK\r\n"
    lengths = {"negative": b"-5", "word": b"many", "huge": b"9" * 40, "two": b"5\r\nContent-Length: 6"}
    return {
        "/600.jpg": (_status(600), "bad_response", 3),
        "/999.jpg": (_status(999), "bad_response", 3),
        "/099.jpg": (_raw(b"HTTP/1.1 099 No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"), "bad_response", 3),
        "/1000.jpg": (_raw(b"HTTP/1.1 1000 No\r\nContent-Length: 0\r\n\r\n"), "bad_response", 3),
        "/101.jpg": (_raw(b"HTTP/1.1 101 Go on\r\nUpgrade: other\r\nConnection: upgrade\r\n\r\n"), "bad_response", 3),
        "/204.jpg": (_raw(b"HTTP/1.1 204 No\r\nConnection: close\r\n\r\n"), "bad_response", 3),
        "/always-100.jpg": (lambda h, _: h.drip(b"", lambda _: b"HTTP/1.1 100 Wait\r\n\r\n", 0.05, 100), "timeout", 3),
        "/long-header.jpg": (_raw(start + b"X-Long: " + b"x" * 300_000 + b"\r\n\r\n"), "bad_response", 3),
        "/header-without-end.jpg": (lambda h, _: h.drip(start, lambda _: b"x" * 4096, 0.0, 10_000), "bad_response", 3),
        "/long-location.jpg": (lambda h, _: h.redirect("/" + "x" * 300_000), "bad_response", 3),
        **{
            f"/{name}-length.jpg": (_raw(start + b"Content-Length: %s\r\n\r\n" % text + good), "bad_response", 3)
            for name, text in lengths.items()
        },
        "/length-too-large.jpg": (_long, "reset", 3),
        "/gzip-without-end.jpg": (_gzip_without_end, "not_an_image", 1),
        "/error-without-end.jpg": (_error_without_end, "http_4xx", 1),
        "/there.jpg": (lambda h, _: h.redirect("/back.jpg"), "redirect_loop", 6),
        "/back.jpg": (lambda h, _: h.redirect("/there.jpg"), "redirect_loop", 6),
    }


def network_faults() -> dict[str, tuple[Route, str, int]]:
    """Faults of hosts and networks; see :func:`faults`."""
    good, html = jpeg(), b"<!doctype html><html><body>not here any more</body></html>"
    start, line = b"HTTP/1.1 200 OK\r\n", b"X-Slow: yes\r\n"
    return {
        "/good.jpg": (good, "ok", 1),
        "/403.jpg": (_status(403), "http_4xx", 1),
        "/404.jpg": (_status(404), "http_4xx", 1),
        "/410.jpg": (_status(410), "http_4xx", 1),
        "/451.jpg": (_status(451), "http_4xx", 1),
        "/408.jpg": (_status(408), "timeout", 3),
        "/500.jpg": (_status(500), "http_5xx", 3),
        "/500-then-ok.jpg": (_then(lambda h: h.send(b"", 500), good), "ok", 2),
        "/503-then-ok.jpg": (_then(lambda h: h.send(b"", 503, Retry_After="0"), good), "ok", 2),
        "/429.jpg": (_status(429, Retry_After="0"), "rate_limited", 3),
        "/429-then-ok.jpg": (_then(lambda h: h.send(b"", 429, Retry_After="0"), good), "ok", 2),
        "/206.jpg": (_status(206), "bad_response", 3),
        "/300.jpg": (_status(300), "bad_response", 3),
        "/no-http.jpg": (_raw(b"hello\r\n\r\n"), "bad_response", 3),
        "/many-headers.jpg": (_raw(start + line * 50_000 + b"\r\n"), "bad_response", 3),
        "/nothing.jpg": (_raw(b""), "reset", 3),
        "/stall.jpg": (lambda h, _: h.stall(), "timeout", 3),
        "/slow-headers.jpg": (lambda h, _: h.drip(start, lambda _: line, 0.05, 100), "timeout", 3),
        "/slow-body.jpg": (lambda h, _: h.chunked(100, b"\xff\xd8\xff" + bytes(20), 0.05), "timeout", 3),
        "/stalled-body.jpg": (_slow_body, "timeout", 3),
        "/stall-then-ok.jpg": (_then(Handler.stall, good), "ok", 2),
        "/reset.jpg": (lambda h, _: _cut_off(h), "reset", 3),
        "/reset-then-ok.jpg": (_then(_cut_off, good), "ok", 2),
        "/short.jpg": (_short, "reset", 3),
        "/chunked.jpg": (lambda h, _: h.chunked(1, good), "ok", 1),
        "/html.jpg": (html, "not_an_image", 1),
        "/packed.jpg": (lambda h, _: h.send(gzip.compress(good), Content_Encoding="gzip"), "not_an_image", 1),
        "/wrong-type.jpg": (lambda h, _: h.send(good, Content_Type="text/html"), "ok", 1),
        "/removed.jpg": (lambda h, _: h.redirect("/removed.png"), "placeholder", 1),
        "/moved.jpg": (lambda h, _: h.redirect("/good.jpg"), "ok", 1),
        "/loop.jpg": (lambda h, _: h.redirect(h.path), "redirect_loop", 6),
        "/private.jpg": (lambda h, _: h.redirect("http://127.0.0.1:9/good.jpg"), "blocked_address", 1),
        "/metadata.jpg": (lambda h, _: h.redirect("http://169.254.169.254/latest"), "blocked_address", 1),
        "/file.jpg": (lambda h, _: h.redirect("file:///etc/passwd"), "bad_url", 1),
        "/large.jpg": (lambda h, _: h.send(good, length=300 << 20), "too_large", 1),
        "/large-unsaid.jpg": (lambda h, _: h.chunked(4800, b"\xff\xd8\xff" + bytes(65_533)), "too_large", 1),
        "/zero.jpg": (b"", "empty", 1),
        "/noai.jpg": (_tagged("noindex, noai"), "noai", 1),
        "/noai-for-another.jpg": (_tagged("somebot: noai"), "ok", 1),
    }


def picture_faults() -> dict[str, tuple[Route, str, int]]:
    """Pictures that are broken, not wanted or out of the ordinary; see :func:`faults`."""
    good, frames = jpeg(), [photo(80, 60, seed) for seed in (1, 2)]
    turned = photo(80, 60).getexif()
    turned[0x0112] = 6
    deep = Image.fromarray((np.arange(60 * 80).reshape(60, 80) * 13).astype(np.uint16))
    clear = photo(80, 60).convert("RGBA")
    clear.putalpha(128)
    return {
        "/truncated.jpg": (good[:-300], "truncated", 1),
        "/cut.png": (encoded(photo(80, 60), "PNG")[:-400], "truncated", 1),
        "/corrupt.jpg": (good[:4] + bytes(100), "corrupt", 1),
        "/bomb.png": (encoded(Image.new("1", (3000, 3000)), "PNG"), "decompression_bomb", 1),
        "/many-scans.jpg": (good[:-2] + b"\xff\xda\x00\x02" * 300 + b"\xff\xd9", "decompression_bomb", 1),
        "/tiny.png": (encoded(photo(4, 4), "PNG"), "too_small", 1),
        "/long.png": (encoded(photo(400, 16), "PNG"), "aspect", 1),
        "/image.webp": (encoded(photo(80, 60), "WEBP"), "ok", 1),
        "/still.gif": (encoded(photo(80, 60), "GIF"), "ok", 1),
        "/animated.gif": (encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]), "ok", 1),
        "/moving.webp": (encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:]), "ok", 1),
        "/cmyk.jpg": (encoded(photo(80, 60).convert("CMYK"), "JPEG"), "ok", 1),
        "/deep.png": (encoded(deep, "PNG"), "ok", 1),
        "/clear.png": (encoded(clear, "PNG"), "ok", 1),
        "/turned.jpg": (jpeg(exif=turned), "ok", 1),
        "/small.jpg": (jpeg(48, 32), "ok", 1),
    }


def faults() -> dict[str, tuple[Route, str, int]]:
    """Path -> what the server does, the final state, and the requests that three attempts allow."""
    return network_faults() | header_faults() | picture_faults()


def mixture(count: int, share: float, seed: int = 0) -> dict[str, tuple[Route, str]]:
    """``count`` paths with their routes and final states, of which ``share`` are faults of all kinds in turn.

    The first paths are those of :func:`faults` themselves, which some of the others redirect to.
    """
    table = faults()
    kinds = random.Random(seed).sample(sorted(table), len(table))
    found = {path: (route, state) for path, (route, state, _) in table.items()}
    for number in range(count - len(found)):
        if int((number + 1) * share) > int(number * share):
            kind = kinds[int(number * share) % len(kinds)]
            found[f"/{number:05d}-{kind[1:]}"] = table[kind][:2]
        else:
            found[f"/{number:05d}.jpg"] = jpeg(40 + number % 60, 40, seed=number), "ok"
    return found


def later() -> dict[str, tuple[Route, str, str]]:
    """Path -> route, and its final states in the first and in the second era; gone for good stays gone."""
    good = jpeg()

    def mended(first: int) -> Route:
        return lambda handler, _: handler.send(good) if handler.site.era > 1 else handler.send(b"", first)

    return {
        "/500-later.jpg": (mended(500), "http_5xx", "ok"),
        "/403-later.jpg": (mended(403), "http_4xx", "ok"),
        "/404-later.jpg": (mended(404), "http_4xx", "http_4xx"),
        "/410-later.jpg": (mended(410), "http_4xx", "http_4xx"),
        "/429-later.jpg": (mended(429), "rate_limited", "ok"),
    }
