"""External things: hashed by content, hashed again only when a file changed, refused when gone or different."""

import hashlib
import http.server
import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.helpers import Fails, run
from workflow_scripts.acquisition.http.fetch_file import fetch_file
from workflow_scripts.core import inputs, sources
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.jsonio import digest
from workflow_scripts.stages.source import STAGE

DATA = bytes(range(256)) * 4096


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder source of two files."""
    root = tmp_path / "model"
    (root / "sub").mkdir(parents=True)
    (root / "config.json").write_bytes(b"{}")
    (root / "sub" / "weights").write_bytes(b"weights")
    (root / ".cache").mkdir()
    (root / ".cache" / "x").write_bytes(b"not part of it")
    return root


def test_a_source_listing_is_sorted_and_has_sizes_and_hashes(folder: Path, results: Path) -> None:
    rows = sources.listing(folder, results)
    assert [(row["path"], row["bytes"]) for row in rows] == [("config.json", 2), ("sub/weights", 7)]
    assert rows[1]["sha256"] == hashlib.sha256(b"weights").hexdigest()


def test_hash_is_taken_again_only_when_a_file_changed(
    folder: Path, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[str] = []
    monkeypatch.setattr(inputs, "MARGIN", 0)

    def counted(path: Path) -> str:
        hashed.append(path.name)
        return hashlib.sha256(path.read_bytes()).hexdigest()

    monkeypatch.setattr(sources, "file_hash", counted)
    first = sources.content_hash(folder, results)
    assert sources.content_hash(folder, results) == first
    assert hashed == ["config.json", "weights"]
    os.utime(folder / "config.json", ns=(1, 1))
    assert sources.content_hash(folder, results) == first
    assert hashed[2:] == ["config.json"]
    (folder / "config.json").write_bytes(b"[]")
    os.utime(folder / "config.json", ns=(1, 1))  # of the same size and time
    second = sources.content_hash(folder, results)
    assert second != first
    memory = next((results / ".cache" / ".stat").iterdir())
    memory.write_bytes(b"damaged")
    assert sources.content_hash(folder, results) == second


def test_a_file_written_just_now_is_not_remembered(folder: Path, results: Path) -> None:
    sources.content_hash(folder, results)
    assert not (results / ".cache" / ".stat").exists()
    for path in folder.rglob("*"):  # only the time of the last change can't be set back
        os.utime(path, ns=(1, 1))
    sources.content_hash(folder, results)
    assert not (results / ".cache" / ".stat").exists()


def test_a_folder_source_is_listed_and_later_changes_are_an_error(folder: Path, results: Path) -> None:
    made = run(STAGE, results, "source/model", {"at": str(folder)}, unit={"source": "model"})
    files = json.loads(made.path(".files.json").read_bytes())
    assert digest(files) == sources.content_hash(folder, results)
    assert sources.resolve_source("model", str(folder), made, results) == folder
    (folder / "sub" / "weights").write_bytes(b"WEIGHTS")  # of the same size
    with pytest.raises(PipelineError, match=r"source model changed since it was hashed in .*weights: sha256"):
        sources.resolve_source("model", str(folder), made, results)
    again = run(STAGE, results, "source/model", {"at": str(folder)}, unit={"source": "model"})
    assert again.hash != made.hash


@pytest.mark.parametrize("recorded", [True, False])
@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda folder: (folder / "config.json").write_bytes(b"[]"), "source model changed .* in .*config.json: "),
        (lambda folder: os.utime(folder / "sub" / "weights", ns=(1, 1)), "during use in .*sub/weights: "),
        (lambda folder: (folder / "more").write_bytes(b"x"), "source model changed"),
        (lambda folder: (folder / "config.json").unlink(), "source model changed"),
    ],
)
def test_a_source_changed_during_use_is_detected(
    folder: Path, results: Path, edit: Callable[[Path], object], message: str, recorded: bool
) -> None:
    made = run(STAGE, results, "source/model", {"at": str(folder)}, unit={"source": "model"}) if recorded else None
    inputs.clear_inputs()
    sources.resolve_source("model", str(folder), made, results)
    inputs.check_unchanged()
    edit(folder)
    with pytest.raises(PipelineError, match=message):
        inputs.check_unchanged()
    inputs.clear_inputs()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"at": "no/such/folder"}, "missing source in no/such/folder"),
        ({"at": "package:no_such_package/model"}, "missing Python package"),
        ({"at": "MODEL", "expect": {"config.json": "0" * 64}}, "unexpected content of source"),
        ({"at": "https://example.invalid/a.zip"}, "give its sha256"),
        ({"at": "hub:nobody/nothing@main"}, "hub model unavailable"),
    ],
)
def test_source_errors_are_a_single_line(
    folder: Path,
    results: Path,
    settings: dict[str, object],
    message: str,
    fails: Fails,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    if settings["at"] == "MODEL":
        settings = {**settings, "at": str(folder)}
    with fails(message):
        run(STAGE, results, "source/x", settings, unit={"source": "x"})


def test_a_local_hub_snapshot_is_found_by_name_and_revision(
    tmp_path: Path, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model in the hub's own cache layout is found by name and revision, without a network."""
    commit = "a" * 40
    repository = tmp_path / "hub" / "models--someone--model"
    snapshot = repository / "snapshots" / commit
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_bytes(b"{}")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub._snapshot_download.constants.HF_HUB_OFFLINE", True)
    assert sources.local_path("hub:someone/model@main", may_fetch=False) == snapshot
    assert run(STAGE, results, "source/m", {"at": f"hub:someone/model@{commit}"}).rows["out"] == 1


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves DATA with ranges; cuts the first answer short; knows a wrong file."""

    ranges: list[str | None] = []

    def do_GET(self) -> None:
        wanted = self.headers["Range"]
        self.ranges.append(wanted)
        data = b"wrong" if self.path == "/wrong" else DATA
        start = int(wanted.split("=")[1].rstrip("-")) if wanted else 0
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        end = len(data) // 2 if self.path == "/short" and not wanted else len(data)
        self.wfile.write(data[start:end])

    def log_message(self, *_: object) -> None:
        """Silence."""


@pytest.fixture
def server() -> Iterator[str]:
    """A loopback server of DATA."""
    Handler.ranges = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def test_fetch_resumes_and_takes_only_the_right_bytes(tmp_path: Path, server: str) -> None:
    right = hashlib.sha256(DATA).hexdigest()
    part, target = tmp_path / "part", tmp_path / "target"
    with pytest.raises(PipelineError, match="cannot fetch file"):
        fetch_file([f"{server}/short"], right, part, target)
    assert not target.exists()
    assert part.stat().st_size == len(DATA) // 2
    fetch_file([f"{server}/good"], right, part, target)
    assert target.read_bytes() == DATA
    assert Handler.ranges == [None, f"bytes={len(DATA) // 2}-"]
    with pytest.raises(PipelineError, match="sha256 is"):
        fetch_file([f"{server}/wrong"], right, part, tmp_path / "other")


def test_a_mirror_is_used_and_the_artifact_holds_the_bytes(results: Path, server: str) -> None:
    settings = {
        "at": "http://127.0.0.1:9/gone.zip",
        "mirrors": [f"{server}/good"],
        "sha256": hashlib.sha256(DATA).hexdigest(),
    }
    made = run(STAGE, results, "source/zip", settings, unit={"source": "zip"})
    assert made.path(".data").read_bytes() == DATA
    assert sources.resolve_source("zip", settings["at"], made, results) == made.path(".data")


def test_a_loop_of_symbolic_links_is_an_error(tmp_path: Path, results: Path) -> None:
    source = tmp_path / "source"
    (source / "a" / "b").mkdir(parents=True)
    (source / "a" / "file").write_bytes(b"x")
    (source / "again").symlink_to("a")  # twice the same folder is no circle
    assert [row["path"] for row in sources.listing(source, results)] == ["a/file", "again/file"]
    for name in ("back", "too"):
        (source / "a" / "b" / name).symlink_to("../..")
    with pytest.raises(PipelineError, match=r"loop of symbolic links in .*source"):
        sources.listing(source, results)


def test_names_that_are_not_text_are_kept(tmp_path: Path, results: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for name in (b"a\xff.png", b"line\nbreak", b"-rf", b"__MACOSX"):
        (source / os.fsdecode(name)).write_bytes(name)
    found = sources.listing(source, results)
    assert sorted(row["path"] for row in found) == ["-rf", "__MACOSX", r"a\xff.png", "line\nbreak"]
    assert sources.listing(source, results) == found and len(sources.content_hash(source, results)) == 64
