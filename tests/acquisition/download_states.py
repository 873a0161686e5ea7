"""A job's downloads over a store of its own, for tests."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from workflow_scripts.acquisition.settings import Download
from workflow_scripts.acquisition.shards.download_state import DownloadState
from workflow_scripts.acquisition.shards.fetch import fetch
from workflow_scripts.acquisition.store.record import Record
from workflow_scripts.acquisition.store.segment import Segment, stems
from workflow_scripts.acquisition.store.store import Store


@contextmanager
def opened(folder: Path, settings: Download, urls: Iterable[str], job: str = "job") -> Iterator[DownloadState]:
    """The download state of a job; its store and work folders lie in ``folder``. Its segment is sealed at the end."""
    (folder / "work").mkdir(parents=True, exist_ok=True)
    with Store(folder / "store", job) as store, DownloadState(store, folder / "work", settings, urls) as downloads:
        yield downloads
        store.seal()


def fetched(folder: Path, urls: Iterable[str], settings: Download, connect_to: dict[str, str]) -> DownloadState:
    """Prepare and fetch all urls; gives the closed downloads, whose ends can still be read."""
    with opened(folder, settings, urls) as downloads:
        downloads.prepare(2)
        fetch(downloads, settings.model_copy(update={"connect_to": connect_to}), workers=2)
    return downloads


def kept(folder: Path) -> list[Record]:
    """Every record in the store below ``folder``."""
    found = []
    for stem in stems(folder / "store"):
        segment = Segment(stem)
        found += [record for record, _, _ in segment.records()]
        segment.close()
    return found
