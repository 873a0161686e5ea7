"""One RedCaps annotation: checked, or set apart for a named reason."""

import re
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa

ROWS = pa.schema(
    [
        ("image_id", pa.string()),
        ("subreddit", pa.string()),
        ("year", pa.int16()),
        ("url", pa.string()),
        ("caption", pa.string()),
        ("raw_caption", pa.string()),
        ("created_utc", pa.int64()),
        ("permalink", pa.string()),
    ]
)
IMAGE_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
FIRST_YEAR, LAST_YEAR = 2005, 2100  # Reddit began in 2005; a time stamp outside is no time stamp
TEXTS = ("image_id", "url", "caption", "raw_caption", "permalink")


class Apart(StrEnum):
    """Why an annotation row is not part of the study. Checked in this order; a row has the first that applies."""

    MALFORMED_ROW = "malformed_row"  # not an object, or a field of a wrong type
    BAD_ID = "bad_id"  # no image_id, or one that is unfit as a key
    NO_URL = "no_url"  # no url
    BAD_URL = "bad_url"  # a url that is not http(s) with a host
    FILTERED_SUBREDDIT = "filtered_subreddit"  # not in the subreddits asked for
    FILTERED_YEAR = "filtered_year"  # not in the years asked for
    EMPTY_CAPTION = "empty_caption"  # no caption, or white space alone
    REPEATED_ID = "repeated_id"  # the image_id is already there (first file by name, first row, wins)


def host_of(url: str) -> str | None:
    """Host of an http(s) url, lower case, with its port when it has one; None when there is none."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme.lower() not in ("http", "https") or not parts.hostname:
        return None
    return parts.hostname if port is None else f"{parts.hostname}:{port}"


def read_row(raw: Any, subreddit: str, file_year: int) -> tuple[dict[str, Any], Apart | None]:
    """Fields of one annotation in the columns of :data:`ROWS`, and why it is unfit (None: fit so far).

    ``subreddit`` and ``file_year`` come from the file's name; the year is that of ``created_utc`` where there is one.
    """
    row: dict[str, Any] = {"subreddit": subreddit, "year": file_year, "created_utc": None}
    if not isinstance(raw, dict):
        return {**row, **dict.fromkeys(TEXTS)}, Apart.MALFORMED_ROW
    malformed = False
    for name in TEXTS:
        value = raw.get(name)
        # JSON may hold lone surrogates, which no UTF-8 file can: they become the replacement character.
        row[name] = re.sub("[\ud800-\udfff]", "\ufffd", value) if isinstance(value, str) else None
        malformed |= not isinstance(value, str | None)
    try:
        row["created_utc"] = _seconds(raw.get("created_utc"))
    except ValueError:
        malformed = True
    if row["created_utc"] is not None:
        row["year"] = datetime.fromtimestamp(row["created_utc"], UTC).year
    return row, Apart.MALFORMED_ROW if malformed else _unfit(row)


def _unfit(row: dict[str, Any]) -> Apart | None:
    if not IMAGE_ID.fullmatch(row["image_id"] or ""):
        return Apart.BAD_ID
    if not row["url"]:
        return Apart.NO_URL
    if host_of(row["url"]) is None:
        return Apart.BAD_URL
    return None


def _seconds(value: Any) -> int | None:
    """A Unix time as JSON has it (whole number, or one written as a float) in seconds."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(value)
    if isinstance(value, float) and not value.is_integer():
        raise ValueError(value)
    first, last = (int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) for year in (FIRST_YEAR, LAST_YEAR + 1))
    if not first <= value < last:
        raise ValueError(value)
    return int(value)
