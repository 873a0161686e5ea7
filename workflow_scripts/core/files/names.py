"""Names of files, folders and columns that several areas share: of all studies, of a cache entry, of label sheets."""

from hashlib import sha256
from pathlib import Path

CACHE = ".cache"  # finished artifacts by key: <stage>/<key>
STAGING = ".staging"  # in the cache: entries that are being written
DISCARDED = ".discarded-"  # in the folder of a stage in the cache: start of the names of entries that are being removed
WORK = ".work"  # files for resuming jobs, and the locks of their keys: <stage>/<key>
FETCHED = ".fetched"  # fetched bytes and the index of imported archives, by URL
HOSTS = ".hosts"  # request budgets of hosts, so that jobs share one rate
STAGED_IN = ".staged-in"  # notes of the folders in which nodes keep copies of images
AUDITED = ".audited"  # notes of when the contents of artifacts were audited last: <study>.json
BROWSE, ABOUT = ".browse", "about.json"  # indexes of the browser: <study>/<key>; and what an index was made from
REMOVED = ".removed"  # what is known of the rows that were removed from each study: <study>.json
BASE = "config.yaml"  # the config file below all others
NOTES = ".configs"  # the config files and artifacts of each study: <study>.json
LOGS, CRATE = "logs", "crate"  # in a study's folder, beside the folders of the stages
LABELS, LABEL_KEY = "labels", ".key.csv"  # there too: label sheets, and the suffix of the keys beside them
COPIES = "copies"  # there too: records of sheets, exported pages and networks that were written elsewhere
ENTRY_MANIFEST, ENTRY_RECORD = "manifest.json", "run.json"  # in the folder of a cache entry
# Columns of the keys of label sheets (text: digest of the caption when the sheet was made), and of ratings
KEY_COLUMNS = ("sheet", "image", "caption", "key", "arm", "text")
SCALES = ("faithful", "specific")
# Columns with the path of an image, in tables of images and in files of captions, in order of preference
IMAGE_COLUMNS = ("image", "image_path", "file_name", "filename", "filepath", "path", "file")
POINTS = 4  # ratings are 0 to 3
RATING_COLUMNS = ("sheet", "rater", "image", "caption", *SCALES, "preferred")


def cache_entry(results: Path, stage: str, key: str) -> Path:
    """The folder of a cache entry."""
    return results / CACHE / stage / key


def work_folder(results: Path, stage: str, key: str) -> Path:
    """The work folder of jobs with this key; ``<folder>.lock`` is the key's lock."""
    return results / WORK / stage / key


def derived_id(place: str) -> str:
    """The id of an image without one: the first 64 bits of a hash of its path or URL, in hex."""
    return sha256(place.encode(errors="surrogatepass")).hexdigest()[:16]
