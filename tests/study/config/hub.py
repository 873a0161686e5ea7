"""A server on this machine that answers as the Hugging Face hub does, and a study of its models and files."""

import hashlib
import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

OLD, NEW = "0" * 39 + "1", "e" * 40  # commits; YAML would read the first as a number
TINY = "tests/config/tiny.yaml"

AGENTS = "/api/agent-harnesses"  # the first request of huggingface_hub in a process


@dataclass
class Hub:
    """One model, and plain files.

    Attributes:
        address: of the server; the value of ``HF_ENDPOINT``.
        branches: of the model ``someone/model``: revision -> commit.
        commits: commit -> name of each file -> content.
        files: path of each plain file, with its query -> content.
        asked: paths of all requests, in order, but for what the hub's client asks once per process.
    """

    address: str = ""
    branches: dict[str, str] = field(default_factory=lambda: {"main": OLD, "v1": OLD})
    commits: dict[str, dict[str, bytes]] = field(
        default_factory=lambda: {OLD: {"config.json": b"{}"}, NEW: {"config.json": b"[]"}}
    )
    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def answer(self, path: str) -> tuple[bytes, dict[str, str]] | None:
        """Body and headers, as https://huggingface.co/docs/hub/api describes them; None for what does not exist."""
        if path in self.files:
            return self.files[path], {}
        match urlsplit(path).path.strip("/").split("/"):
            case ["api", "models", "someone", "model", *rest]:
                revision = rest[1] if rest else "main"
                commit = self.branches.get(revision, revision)
                found = self.commits.get(commit)
                if found is None:
                    return None
                tree = [{"type": "file", "path": n, "size": len(b), "oid": _oid(b)} for n, b in found.items()]
                info: Any = tree if "tree" in rest else {"id": "someone/model", "sha": commit}
                return json.dumps(info).encode(), {"Content-Type": "application/json"}
            case ["someone", "model", "resolve", commit, name] if name in self.commits.get(commit, {}):
                body = self.commits[commit][name]
                return body, {"ETag": f'"{_oid(body)}"', "X-Repo-Commit": commit}
        return None


def _oid(body: bytes) -> str:
    return hashlib.sha1(body).hexdigest()


@contextmanager
def serving() -> Iterator[Hub]:
    """The hub, on a free port."""
    hub = Hub()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            if self.path != AGENTS:
                hub.asked.append(self.path)
            found = hub.answer(self.path)
            self.send_response(404 if found is None else 200)
            body, headers = found or (b"", {"X-Error-Code": "RevisionNotFound"})
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_GET = do_HEAD

        def log_message(self, *_: object) -> None:
            """Silence."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        hub.address = f"http://127.0.0.1:{running.server_port}"
        yield hub
        running.shutdown()
