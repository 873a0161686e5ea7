"""A small HTTP server on the loopback interface for the pictures of the demo world."""

import json
import mimetypes
import sys
import threading
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

from workflow_scripts.core.errors import PipelineError


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 30
    members: Mapping[str, bytes]
    redirects: Mapping[str, str]
    types: Mapping[str, str]

    def do_GET(self) -> None:
        """Answer with the member that the url names; http.server looks this method up by name."""
        name = unquote(urlsplit(self.path).path).removeprefix("/")
        if name in self.redirects:
            self._send(302, b"", "text/plain", location="/" + self.redirects[name])
        elif name in self.members:
            kind = self.types.get(name) or mimetypes.guess_type(name)[0] or "application/octet-stream"
            self._send(200, self.members[name], kind)
        else:
            self._send(404, b"not found\n", "text/plain")

    def _send(self, status: int, data: bytes, kind: str, location: str | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        if location is not None:
            self.send_header("Location", location)
        self.end_headers()
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

    Its member `routes.json`, which may be missing: {"redirects": {path: path}, "types": {path: content type}}.

    Raises:
        PipelineError: when the zip can't be read.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
    except (OSError, zipfile.BadZipFile) as error:
        raise PipelineError("unreadable zip of images", path, error, "recompute the demo world") from error
    routes = {"redirects": {}, "types": {}} | json.loads(members.pop("routes.json", b"{}"))
    handler = type("Handler", (_Handler,), {"members": members, **routes})
    with _Server(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield str(server.server_address[0]), int(server.server_address[1])
        finally:
            server.shutdown()
            thread.join()
