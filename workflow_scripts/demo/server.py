"""A small HTTP server on the loopback interface for the pictures of the demo world."""

import json
import mimetypes
import sys
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

from workflow_scripts.core.errors import PipelineError

ROUTES = "routes.json"


class Pictures:
    """Members of a zip by url path, and the routes that its member `routes.json` describes.

    `routes.json`, which may be missing: {"redirects": {path: path}, "types": {path: content type}}.
    """

    def __init__(self, path: Path) -> None:
        try:
            with zipfile.ZipFile(path) as archive:
                self.members = {name: archive.read(name) for name in archive.namelist()}
        except (OSError, zipfile.BadZipFile) as error:
            raise PipelineError("unreadable zip of images", path, error, "recompute the demo world") from error
        routes = json.loads(self.members.pop(ROUTES, b"{}"))
        self.redirects: dict[str, str] = routes.get("redirects", {})
        self.types: dict[str, str] = routes.get("types", {})

    def kind(self, name: str) -> str:
        """Content type of a member."""
        return self.types.get(name) or mimetypes.guess_type(name)[0] or "application/octet-stream"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 30
    pictures: Pictures

    def do_GET(self) -> None:
        """Answer with the member that the url names; http.server looks this method up by name."""
        self._answer(body=True)

    def do_HEAD(self) -> None:
        """The head of the same answer."""
        self._answer(body=False)

    def _answer(self, body: bool) -> None:
        name = unquote(urlsplit(self.path).path).removeprefix("/")
        target = self.pictures.redirects.get(name)
        data = self.pictures.members.get(name)
        if target is not None:
            self._send(302, b"", "text/plain", body, location="/" + target)
        elif data is None:
            self._send(404, b"not found\n", "text/plain", body)
        else:
            self._send(200, data, self.pictures.kind(name), body)

    def _send(self, status: int, data: bytes, kind: str, body: bool, location: str | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        if location is not None:
            self.send_header("Location", location)
        self.end_headers()
        if body:
            self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: the downloader counts the requests."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """Show nothing when a client hangs up, as a downloader that stops does; other errors are shown."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


@contextmanager
def serve_zip(path: Path) -> Iterator[tuple[str, int]]:
    """Serve the members of a zip on a free loopback port until the block ends; yields (host, port).

    Raises:
        PipelineError: when the zip can't be read.
    """
    handler = type("Handler", (_Handler,), {"pictures": Pictures(path)})
    with _Server(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield str(server.server_address[0]), int(server.server_address[1])
        finally:
            server.shutdown()
            thread.join()
