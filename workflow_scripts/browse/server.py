"""The server: read-only, on the loopback interface, for the user who started it.

- It listens on 127.0.0.1 alone, and answers only requests whose Host header names this machine: a page on the internet
  whose name was rebound to 127.0.0.1 gets nothing.
- Every path begins with a random word, which the command prints: other users of the machine can't guess it.
- Only GET and HEAD have routes. Images are named by their number in the index: nothing of a request becomes a
  path.
- Pages have no script, and their policy allows none.
"""

import asyncio
import logging
import os
import secrets
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from workflow_scripts.browse.index import Index
from workflow_scripts.browse.pages import image_page, list_page, page, picture, style
from workflow_scripts.browse.view import view_of
from workflow_scripts.core.artifact import Artifact
from workflow_scripts.core.errors import PipelineError

HOST = "127.0.0.1"
NAMES = {HOST, "localhost"}  # localhost: through a tunnel
SIDES = {"thumbnail": 256, "picture": 1024}  # pixels of the longer side, of a card's image and of a page's
HTML = "text/html"
_POLICY = "default-src 'none'; img-src 'self' data:; style-src 'self'; form-action 'self'; base-uri 'none'"
HEADERS = {
    "Content-Security-Policy": f"{_POLICY}; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",  # a removed image must not stay in a browser's cache
}
STATUS = {"invalid": 400, "unknown": 404}  # start of an error's text -> status; of others 500
HTTP = logging.getLogger("aiohttp.server")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def _in_a_line(record: logging.LogRecord) -> bool:
    """Have the log say in a line, not by a traceback, that a request can't be parsed; its answer has status 400."""
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, HttpProcessingError):
        advice = "if it comes from a browser, delete its cookies for 127.0.0.1 and localhost"
        record.msg, record.args = str(PipelineError("refused request", "browse", error.message, advice)), ()
        record.exc_info = record.exc_text = None
    return True


class Pages:
    """The handlers for one study."""

    def __init__(self, study: Path, index: Index, images: Artifact) -> None:
        self.study, self.index, self.images = study, index, images
        self.style = style()

    def routes(self, word: str) -> list[web.RouteDef]:
        """All routes, below ``/<word>/``."""
        number = r"{number:\d{1,9}}"
        return [
            web.get(f"/{word}/", self.list),
            web.get(f"/{word}/style.css", self.sheet),
            web.get(f"/{word}/image/{number}", self.image),
            web.get(f"/{word}/{{kind:{'|'.join(SIDES)}}}/{number}", self.picture),
        ]

    async def list(self, request: web.Request) -> web.Response:
        """The images of a view."""
        view = view_of(dict(request.query))
        return _answer(await asyncio.to_thread(list_page, self.index, view, self.study))

    async def sheet(self, request: web.Request) -> web.Response:
        """The style sheet."""
        return _answer(self.style.encode(), "text/css")

    async def image(self, request: web.Request) -> web.Response:
        """All about one image."""
        return _answer(await asyncio.to_thread(image_page, self.index, _number(request)))

    async def picture(self, request: web.Request) -> web.Response:
        """The image of a card, or of an image's page."""
        row, side = _number(request), SIDES[request.match_info["kind"]]

        def read() -> bytes:
            return picture(self.images, self.index.images([row])[0], side)

        return web.Response(body=await asyncio.to_thread(read), content_type="image/jpeg")


def _number(request: web.Request) -> int:
    return int(request.match_info["number"])


def _answer(body: bytes, kind: str = HTML, status: int = 200) -> web.Response:
    return web.Response(status=status, body=body, content_type=kind, charset="utf-8")


def application(study: Path, index: Index, images: Artifact, word: str) -> web.Application:
    """The server's application; its pages are below ``/<word>/``."""

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.host.rpartition(":")[0] not in NAMES and request.host not in NAMES:
            return web.Response(status=403, text="the Host header names another machine\n")
        if not index.exists():
            return web.Response(status=410, text="the index was removed; start faithful-pairs browse again\n")
        try:
            return await handler(request)
        except PipelineError as error:
            status = next((code for start, code in STATUS.items() if error.what.startswith(start)), 500)
            root = "../" * (request.path.count("/") - 2)
            return _answer(page("error.html", root=root, about=index.about, message=str(error)), status=status)

    async def headers(request: web.Request, response: web.StreamResponse) -> None:
        response.headers.update(HEADERS)

    HTTP.addFilter(_in_a_line)
    made = web.Application(middlewares=[guard])
    made.on_response_prepare.append(headers)
    made.router.add_routes(Pages(study, index, images).routes(word))
    return made


def serve(study: Path, index: Index, images: Artifact, port: int, ready: Callable[[str], None]) -> None:
    """Serve until Ctrl-C; ``ready`` gets the address once the server listens.

    Raises:
        PipelineError: the port is in use.
    """
    try:
        listening = socket.create_server((HOST, port))
    except OSError as error:
        value = os.strerror(error.errno or 0)
        raise PipelineError("no server", f"{HOST}:{port}", value, "give another --port") from None
    word = secrets.token_urlsafe(12)
    address = f"http://{HOST}:{listening.getsockname()[1]}/{word}/"
    made = application(study, index, images, word)
    web.run_app(made, sock=listening, print=lambda _: ready(address), access_log=None)
