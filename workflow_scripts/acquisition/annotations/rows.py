"""One RedCaps annotation: checked, or rejected with a reason."""

import re
from collections.abc import Collection
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TypeGuard
from urllib.parse import urlsplit

import pyarrow as pa

from workflow_scripts.acquisition.annotations.removal_tokens import IMAGE_ID, id_token, url_token
from workflow_scripts.models.text_norms import is_blank

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
LARGEST_ROW = 1 << 20  # characters of a row of a table, or bytes of a file with a caption; rows of RedCaps have 500
FIRST_YEAR, LAST_YEAR = 2005, 2100  # Reddit started in 2005; other time stamps are invalid
FIRST_SECOND, END = (int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) for year in (FIRST_YEAR, LAST_YEAR + 1))
CAPTIONS = ("caption", "raw_caption")
TEXTS = ("image_id", "url", *CAPTIONS, "permalink")
_SURROGATE = re.compile("[\ud800-\udfff]")
_COMMON_HOST = re.compile(r"https?://([a-z0-9-]+(?:\.[a-z0-9-]+)+)/")
USER = "<usr>"  # the mask in RedCaps' own files
_MAIL = r"[\w.+-]++@[\w-]++(?:\.[\w-]++)++"
_HANDLE = r"[@＠]\w++(?:[.-]\w++)*+"
# A Reddit name has 3 to 20 letters, digits, - and _; Markdown writes the last as \_.
_REDDIT = r"(?<![^\W_])/?(?:u|user)/(?:[A-Za-z0-9_-]|\\_){3,}"
_PROFILE = r"(?<![^\W_])/?r/u_[A-Za-z0-9_-]+"
# Trying to match an address at every letter of a long word would take quadratic time. So whole words are matched, and
# the rest of a word after a name is matched by itself.
_NAMES = re.compile("|".join((rf"(?<![\w.+-]){_MAIL}", _HANDLE, _PROFILE, _REDDIT)), re.IGNORECASE)
_REST = re.compile(_MAIL)
_POST = re.compile(r"(?:https?://(?:[a-z]+\.)?reddit\.com)?/r/[A-Za-z0-9_]+/comments/[A-Za-z0-9]+(?:/|$)")


class Apart(StrEnum):
    """Reasons why an annotation row is not used. They are checked in this order; the first that applies counts."""

    EXCLUDED = "excluded"  # its image_id or url is on the removal list; only hashes of the two are kept
    OVERSIZED_ROW = "oversized_row"  # more characters than any real row; not kept
    MALFORMED_ROW = "malformed_row"  # not an object, or a field of a wrong type
    NOT_UTF8 = "not_utf8"  # text in another encoding
    BAD_ID = "bad_id"  # no image_id, or one that can't be a key
    NO_URL = "no_url"  # no url
    BAD_URL = "bad_url"  # a url that is not http(s) with a host
    BAD_PATH = "bad_path"  # a path that is absolute or leads outside the source
    NO_IMAGE = "no_image"  # no image at the row's path
    NO_ROW = "no_row"  # an image in the source that no row names
    FURTHER_CAPTION = "further_caption"  # another caption of its image is used
    FILTERED_SUBREDDIT = "filtered_subreddit"  # not in the configured subreddits
    FILTERED_YEAR = "filtered_year"  # not in the configured years
    EMPTY_CAPTION = "empty_caption"  # no caption, or only white space
    REPEATED_ID = "repeated_id"  # an earlier row (by file name and position) has the same image_id


class Filter:
    """The years and subreddits of a study (None keeps all), and the tokens of its removal list."""

    def __init__(
        self, years: Collection[int] | None, subreddits: Collection[str] | None, removal: Collection[str] = ()
    ) -> None:
        self.years = None if years is None else frozenset(years)
        self.subreddits = None if subreddits is None else frozenset(name.lower() for name in subreddits)
        self.removal = frozenset(removal)

    def reason(self, row: dict[str, Any]) -> Apart | None:
        """Why a well-formed row is not used, as far as the row alone can tell."""
        if self.subreddits is not None and row["subreddit"] not in self.subreddits:
            return Apart.FILTERED_SUBREDDIT
        if self.years is not None and row["year"] not in self.years:
            return Apart.FILTERED_YEAR
        return Apart.EMPTY_CAPTION if is_blank(row["caption"]) else None


def host_of(url: str) -> str | None:
    """Host of an http(s) URL in lower case, with its port if it has one; None if there is no host."""
    common = _COMMON_HOST.match(url)  # matches nearly all URLs; splitting takes ten times as long
    if common:
        return common[1]
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme.lower() not in ("http", "https") or not parts.hostname:
        return None
    return parts.hostname if port is None else f"{parts.hostname}:{port}"


def read_row(
    raw: Any, subreddit: str, file_year: int, max_chars: int | None = None, local_url: str | None = None
) -> tuple[dict[str, Any], Apart | None]:
    """Fields of one annotation in the columns of :data:`ROWS`, and the reason why it is not used (None so far).

    ``subreddit`` and ``file_year`` come from the file's name; the year is that of ``created_utc`` where there is one.
    Captions of more than ``max_chars`` characters are cut (None: no limit). Names of people are masked in all texts.
    ``local_url`` is the URL of an image in the source and replaces the row's own URL.
    """
    row: dict[str, Any] = {"subreddit": subreddit, "year": file_year, "created_utc": None}
    if not isinstance(raw, dict):
        return {**row, **dict.fromkeys(TEXTS)}, Apart.MALFORMED_ROW
    malformed = False
    for name in TEXTS:
        value = raw.get(name)
        if isinstance(value, str):
            # JSON may contain lone surrogates, which UTF-8 can't encode: they become the replacement character.
            row[name] = value if value.isascii() else _SURROGATE.sub("\ufffd", value)
        else:
            row[name] = None
            malformed |= value is not None
    for name in CAPTIONS:
        row[name] = row[name] and mask(cut(row[name], max_chars))
    row["permalink"] = row["permalink"] and bare_permalink(row["permalink"])
    created = raw.get("created_utc")
    if _is_time(created):
        row |= {"created_utc": int(created), "year": datetime.fromtimestamp(created, UTC).year}
    if malformed or not (created is None or _is_time(created)):
        return row, Apart.MALFORMED_ROW
    if not IMAGE_ID.fullmatch(row["image_id"] or ""):
        return row, Apart.BAD_ID
    if local_url is not None:
        return {**row, "url": local_url}, None
    if not row["url"]:
        return row, Apart.NO_URL
    return row, Apart.BAD_URL if host_of(row["url"]) is None else None


def cut(text: str, max_chars: int | None) -> str:
    """The first ``max_chars`` characters of ``text`` at most, cut before a space if there is one.

    So the cut splits no name of a person, which would hide it from the mask, and no emoji of several characters.
    """
    if max_chars is None or len(text) <= max_chars:
        return text
    start, following = text[:max_chars], text[max_chars]
    words = [start] if start[-1].isspace() or following.isspace() else start.rsplit(maxsplit=1)
    return words[0] if len(words) > 1 else start


def is_cut(raw: Any, max_chars: int) -> bool:
    """Whether :func:`read_row` cuts a caption of ``raw``, an annotation that is an object."""
    return any(isinstance(raw.get(name), str) and len(raw[name]) > max_chars for name in CAPTIONS)


def is_listed(row: dict[str, Any], tokens: AbstractSet[str], given_url: str | None = None) -> bool:
    """Whether a removal list names the row's id or url, or the URL that its source gives for an image of its own."""
    return id_token(row["image_id"] or "") in tokens or not tokens.isdisjoint(_url_tokens(row, given_url))


def removed(row: dict[str, Any], given_url: str | None = None) -> dict[str, Any]:
    """What is kept of a row on a removal list: its position, and the hashes that identify it.

    Where the source gives another URL than the row's, ``url`` holds the hashes of both, separated by a space.
    """
    hashes = {"image_id": id_token(row["image_id"] or ""), "url": " ".join(_url_tokens(row, given_url))}
    return {**dict.fromkeys(row), "subreddit": row["subreddit"], "year": row["year"], **hashes}


def _url_tokens(row: dict[str, Any], given_url: str | None) -> list[str]:
    """Tokens of the row's url and of the given one, without repetition."""
    urls = (row["url"] or "", given_url)
    return list(dict.fromkeys(url_token(url) for url in urls if url is not None))


def _is_time(value: Any) -> TypeGuard[float]:
    """Whether a value of JSON is a Unix time in seconds: an integer, possibly written as a float."""
    return type(value) in (int, float) and value == value // 1 and FIRST_SECOND <= value < END


def mask(text: str) -> str:
    """``text`` with :data:`USER` for Reddit's ``u/name``, for ``@handle`` and for mail addresses."""
    if not ("/" in text or "@" in text or "＠" in text):  # true for most texts; the pattern is slow
        return text
    parts, end = [], 0
    while found := _REST.match(text, end) or _NAMES.search(text, end):
        parts += [text[end : found.start()], USER]
        end = found.end()
    return "".join([*parts, text[end:]])


def bare_permalink(permalink: str) -> str:
    """A post's link without names of people and without the part after the id, which is derived from the title."""
    found = _POST.match(permalink)
    if found and "/u_" not in found[0].lower():
        return found[0]
    return mask(found[0] if found else permalink)
