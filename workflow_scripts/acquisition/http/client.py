"""One polite request for one URL: its final state, and the body if there is one."""

import asyncio
import errno
import ssl
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import aiohttp
from yarl import URL

from workflow_scripts.acquisition.http.addresses import Addresses, BlockedAddressError, SafeResolver
from workflow_scripts.acquisition.http.hosts import Gates
from workflow_scripts.acquisition.images.images import MAGIC_BYTES, looks_like_image
from workflow_scripts.acquisition.settings import Download
from workflow_scripts.acquisition.states import State
from workflow_scripts.core.errors import PipelineError

BUFFER = 1 << 18  # bytes per connection that are buffered before the sender is paused
MAX_WAIT = 300.0  # seconds of a pause, whether from Retry-After or backoff
MAX_REDIRECTS = 5  # per request
MAX_BODIES = 64  # in memory at a time, of all hosts together
PRODUCT = "faithful-pairs"
USER_AGENT = f"{PRODUCT}/0.1 (image downloader for research)"
PLACEHOLDERS = ("removed.png", "photo_unavailable.png", "photo_unavailable.gif")  # served for removed images
DRAIN = 65_536  # bytes of an error page that are read so that the connection can be reused
LOCAL_FAULTS = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


@dataclass(frozen=True)
class Answer:
    """The result of one attempt. ``state`` is ok if ``body`` may be an image; ``location`` is a redirect's target."""

    state: State
    status: int | None = None
    body: bytes = b""
    location: str | None = None
    retry_after: float | None = None
    started: float = 0.0
    seconds: float = 0.0
    read: int = 0


class _Connector(aiohttp.TCPConnector):
    """Refuse a connection with unrequested bytes: they would be taken for the response to the next URL.

    A server may send more than its Content-Length says, or respond twice.
    """

    async def connect(self, *args: Any, **options: Any) -> aiohttp.connector.Connection:
        while True:
            connection = await super().connect(*args, **options)
            if connection.protocol is None or not connection.protocol.should_close:
                return connection
            connection.close()


class Client:
    """Requests URLs within the policies of ``settings``; use it as an async context manager, in one event loop.

    Args:
        settings: limits and politeness.
        budgets: folder of the hosts' budgets that all jobs share; None: this process has its own.
    """

    def __init__(self, settings: Download, budgets: Path | None = None) -> None:
        self._settings = settings
        self._addresses = Addresses(settings.allow_addresses, settings.connect_to)
        divided = settings.share_of_rate
        self.gates = Gates(settings.hosts, None if divided else budgets, divided or 1)
        self._bodies = asyncio.Semaphore(MAX_BODIES)

    async def __aenter__(self) -> "Client":
        contact = self._settings.contact
        agent = USER_AGENT + (f" (+{contact})" if contact else "")
        connector = _Connector(
            limit=0,  # the gates count connections
            resolver=SafeResolver(self._addresses),
            socket_factory=self._addresses.open_socket,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(total=None),  # the deadline is set per request below
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": agent, "Accept": "image/*", "Accept-Encoding": "identity"},
            read_bufsize=BUFFER,
            auto_decompress=False,  # a small response must not unpack to a large one
        )
        # aiohttp would retry at once, ignoring our pace, if a kept connection has ended; there is no public switch.
        self._session._retry_connection = False
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()
        self.gates.close()

    def group(self, url: str) -> str:
        """The name of the gate for ``url``; URLs without a host share one."""
        parsed = _parse(url)
        return "" if parsed is None else self.gates.group(parsed.host or "")

    @asynccontextmanager
    async def answer(self, url: str) -> AsyncIterator[Answer]:
        """One attempt at ``url``, redirects followed. At most :data:`MAX_BODIES` of these blocks hold a body."""
        started, clock = time.time(), time.monotonic()
        current, hops = _parse(url), 0
        while True:
            early = self._without_asking(current, hops)
            if early is not None or current is None:
                yield Answer(early or State.BAD_URL, started=started, seconds=time.monotonic() - clock)
                return
            gate = self.gates.gate(current.host or "")
            async with gate.request(self._bodies):
                try:
                    found = await self._ask(current)
                    if found.retry_after is not None:  # applied before the connection is released to the next request
                        await gate.refused(min(found.retry_after, MAX_WAIT))
                except BaseException:
                    self._bodies.release()
                    raise
            try:
                if found.location is None:
                    yield replace(found, started=started, seconds=time.monotonic() - clock)
                    return
            finally:
                self._bodies.release()
            current, hops = _parse(found.location, current), hops + 1

    def _without_asking(self, url: URL | None, hops: int) -> State | None:
        """The state of an attempt that needs no (further) request, or None."""
        if url is None:
            return State.BAD_URL
        if url.name in PLACEHOLDERS:
            return State.PLACEHOLDER
        return State.REDIRECT_LOOP if hops > MAX_REDIRECTS else None

    async def _ask(self, url: URL) -> Answer:
        """One request, without following redirects; every network error becomes a state."""
        try:
            async with asyncio.timeout(self._settings.deadline):
                async with self._session.get(url, allow_redirects=False) as response:
                    return await self._read(response)
        except TimeoutError:
            return Answer(State.TIMEOUT)
        except (aiohttp.ClientError, UnicodeError, OSError) as error:
            return Answer(_fault(error))

    async def _read(self, response: aiohttp.ClientResponse) -> Answer:
        status = response.status
        if status == 200:
            rules = response.headers.getall("X-Robots-Tag", [])
            if self._settings.respect_robots_tag and forbids_ai(rules, PRODUCT):
                response.close()
                return Answer(State.NOAI, 200)
            return await self._body(response)
        await _drain(response)
        location = response.headers.get("Location")
        if 300 <= status < 400 and location:
            return Answer(State.OK, status, location=location)
        wait = _retry_after(response.headers.get("Retry-After"))
        if status == 429:
            return Answer(State.RATE_LIMITED, status, retry_after=self._settings.backoff if wait is None else wait)
        if 500 <= status < 600:
            return Answer(State.HTTP_5XX, status, retry_after=wait)
        if status == 408:
            return Answer(State.TIMEOUT, status)
        return Answer(State.HTTP_4XX if 400 <= status < 500 else State.BAD_RESPONSE, status)

    async def _body(self, response: aiohttp.ClientResponse) -> Answer:
        """Read the body as long as it can be an image of allowed size; the rest is not read."""
        limit, chunks, read = self._settings.max_bytes, list[bytes](), 0
        if (response.content_length or 0) > limit:
            response.close()
            return Answer(State.TOO_LARGE, 200)
        checked = False
        async for chunk in response.content.iter_any():
            chunks.append(chunk)
            read += len(chunk)
            strange = not checked and read >= MAGIC_BYTES and not looks_like_image(b"".join(chunks))
            if read > limit or strange:
                response.close()
                return Answer(State.TOO_LARGE if read > limit else State.NOT_AN_IMAGE, 200, read=read)
            checked = read >= MAGIC_BYTES
        if not read:
            return Answer(State.EMPTY, 200)
        return Answer(State.OK, 200, b"".join(chunks), read=read)


def _parse(text: str, base: URL | None = None) -> URL | None:
    """An absolute http(s) URL with a host, or None."""
    try:
        url = URL(text) if base is None else base.join(URL(text))
        usable = url.scheme in ("http", "https") and bool(url.host) and url.port is not None
    except (ValueError, TypeError):
        return None
    return url if usable else None


async def _drain(response: aiohttp.ClientResponse) -> None:
    read = 0
    async for chunk in response.content.iter_any():
        read += len(chunk)
        if read > DRAIN:
            response.close()
            return


def _retry_after(text: str | None) -> float | None:
    """Seconds of a Retry-After header, given as seconds or as a date (RFC 9110, section 10.2.3); None without one."""
    if text is None:
        return None
    if text.strip().isascii() and text.strip().isdigit():
        return float(text)
    try:
        until = parsedate_to_datetime(text)
        seconds = (until.replace(tzinfo=until.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    except (ValueError, OverflowError, TypeError):
        return None
    return max(0.0, seconds)


def _fault(error: Exception) -> State:
    """The state for a network error.

    Raises:
        PipelineError: the error is due to this machine, not to a row.
    """
    cause = getattr(error, "os_error", error)
    if isinstance(cause, OSError) and cause.errno in LOCAL_FAULTS:
        advice = "lower connections in download.hosts, or raise the limits of this machine"
        raise PipelineError("cannot open a connection", "download", cause, advice) from None
    if isinstance(cause, BlockedAddressError):
        return State.BLOCKED_ADDRESS
    kinds: list[tuple[type[Exception] | tuple[type[Exception], ...], State]] = [
        ((aiohttp.ClientSSLError, ssl.SSLError), State.TLS),
        (aiohttp.ClientConnectorDNSError, State.DNS),
        (aiohttp.ClientConnectorError, State.CONNECT),
        ((aiohttp.InvalidURL, UnicodeError), State.BAD_URL),
        ((aiohttp.ClientPayloadError, aiohttp.ServerDisconnectedError, OSError), State.RESET),
    ]
    return next((state for kind, state in kinds if isinstance(error, kind)), State.BAD_RESPONSE)


FORBIDDEN = frozenset({"noai", "noimageai"})
VALUED = frozenset({"unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"})


def forbids_ai(headers: Iterable[str], agent: str) -> bool:
    """Whether a response's X-Robots-Tag headers say ``noai`` or ``noimageai`` to all agents or to ``agent``.

    Args:
        headers: values such as ``noai, noindex`` or ``somebot: noai``; a name applies up to the end of its header.
        agent: the product name in our User-Agent, in lower case.
    """
    for header in headers:
        addressed = True
        for part in header.lower().split(","):
            name, colon, rule = (text.strip() for text in part.partition(":"))
            if colon and name not in VALUED:
                addressed, name = name in ("*", agent), rule
            if addressed and name in FORBIDDEN:
                return True
    return False
