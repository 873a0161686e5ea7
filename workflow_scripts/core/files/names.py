"""Names of the files and folders that all studies of a results folder share, and of those of a cache entry."""

from pathlib import Path

CACHE = ".cache"  # finished artifacts by key: <stage>/<key>
STAGING = ".staging"  # in the cache: entries that are being written
WORK = ".work"  # files for resuming jobs, and the locks of their keys: <stage>/<key>
FETCHED = ".fetched"  # fetched bytes and the index of imported archives, by URL
HOSTS = ".hosts"  # request budgets of hosts, so that jobs share one rate
ENTRY_MANIFEST, ENTRY_RECORD = "manifest.json", "run.json"  # in the folder of a cache entry


def cache_entry(results: Path, stage: str, key: str) -> Path:
    """The folder of a cache entry."""
    return results / CACHE / stage / key


def work_folder(results: Path, stage: str, key: str) -> Path:
    """The work folder of jobs with this key; ``<folder>.lock`` is the key's lock."""
    return results / WORK / stage / key
