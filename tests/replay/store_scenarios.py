"""The store of fetched bytes: what was fetched is found, and what was removed does not come back."""

import json
from pathlib import Path

from tests.file_bytes import write_tar
from tests.replay.scenarios import Facts, Scenario, nothing
from tests.replay.training import Say
from workflow_scripts.acquisition.shards.imports import ImportIndex
from workflow_scripts.acquisition.states import State
from workflow_scripts.acquisition.store.record import Record
from workflow_scripts.acquisition.store.store import Store
from workflow_scripts.core.files import durable
from workflow_scripts.removal.store import remove_urls

URLS = ("http://a.test/0", "http://a.test/1", "http://a.test/2")
JOB = "5a" * 8  # as jobs name their segments


def body(url: str) -> bytes:
    """The bytes behind a url."""
    return f"<bytes of {url[-1]}>".encode()


def fetch(root: Path, urls: tuple[str, ...] = URLS, job: str = JOB, ended: bool = True) -> None:
    """What a download job does with the store."""
    durable._synced.clear()
    with Store(root / "results/.fetched", job) as store:
        for url in urls:
            store.add(Record(url, State.OK, 200), body(url))
        if ended:
            store.seal()


def found(root: Path) -> dict[str, bytes | None]:
    """What another job finds."""
    with Store(root / "results/.fetched", "0f" * 8) as store:
        return {url: store.data(record) for url, record in store.find(URLS, "").items()}


def fetch_and_say(root: Path, say: Say) -> None:
    """A job that is reported as done."""
    fetch(root)
    say(("fetched", URLS))


def store_faults(root: Path, facts: Facts) -> list[str]:
    """No bytes but the right ones, all that was fetched, and the rest after a second job."""
    have = found(root)
    wrong = [f"other bytes of {url}" for url, data in have.items() if data not in (None, body(url))]
    wrong += [f"{url} was fetched, and is lost" for fact in facts for url in fact[1] if not have.get(url)]
    fetch(root, tuple(url for url in URLS if not have.get(url)), "1f" * 8)
    return wrong + [f"{url} can't be fetched again" for url, data in found(root).items() if data != body(url)]


def settle(root: Path, say: Say) -> None:
    """A job looks at what a killed one left; from then on it is kept."""
    found(root)
    say(("fetched", URLS))


def remove_first(root: Path, say: Say) -> None:
    """Take one url out."""
    remove_urls(root / "results", URLS[:1])
    say(("removed", URLS[0]))


def half_forgotten(root: Path) -> None:
    """What a killed call left: a segment that is hidden, and bytes without lines; all lines are without the url."""
    fetch(root, URLS[1:])
    for name in (f".{'0f' * 16}.bin", f"{JOB}-0+01234567.bin"):
        (root / "results/.fetched" / name).write_bytes(body(URLS[0]))


def forget_faults(root: Path, facts: Facts) -> list[str]:
    """The others are there always; what was forgotten does not come back."""
    wrong = present(root, body(URLS[0])) if facts else []
    have = found(root)
    remove_urls(root / "results", URLS[:1])
    after = found(root)
    wrong += [f"{url} is lost" for url in URLS[1:] if not have.get(url) == after.get(url) == body(url)]
    return wrong + present(root, body(URLS[0]))


def present(root: Path, marker: bytes) -> list[str]:
    """Files that hold ``marker``."""
    files = [path for path in root.rglob("*") if path.is_file()]
    return [f"{path} has {marker!r} still" for path in files if marker in path.read_bytes()]


def shards_to_import(root: Path) -> None:
    """A shard of img2dataset, beside the folder that is recorded: its path and time name the index."""
    (root / "results/.fetched").mkdir(parents=True)
    write_tar(root.parent / "imported/0.tar", {"0.jpg": body(URLS[0]), "0.json": json.dumps({"url": URLS[0]})})


def index_imports(root: Path, say: Say) -> None:
    """Where its images lie."""
    ImportIndex(root.parent / "imported", root / "results", 1000)


def import_faults(root: Path, facts: Facts) -> list[str]:
    """The image is found."""
    images = list(ImportIndex(root.parent / "imported", root / "results", 1000).images(URLS[:1]))
    return [] if images == [(URLS[0], body(URLS[0]))] else [f"images {images}"]


def store_scenarios() -> list[Scenario]:
    """Downloads, removals from the store, and the index of imported shards."""
    return [
        Scenario("bytes fetched", nothing, fetch_and_say, store_faults),
        Scenario("killed download settled", lambda root: fetch(root, ended=False), settle, store_faults),
        Scenario("url forgotten", fetch, remove_first, forget_faults),
        Scenario("url forgotten after a kill", half_forgotten, remove_first, forget_faults),
        Scenario("shards imported", shards_to_import, index_imports, import_faults),
    ]
