"""What people asked to be taken out, known by hashes alone: a removal list must not keep what it removes."""

import hashlib
import re
from collections.abc import Iterable

IMAGE_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_SCHEME = re.compile(r"https?://", re.IGNORECASE)


def token(entry: str) -> str:
    """sha256 in hex of an image id or of a url, which stands for it in settings, tables and run records.

    A url counts without its scheme, its fragment and the case of its host.

    Raises:
        ValueError: neither an image id nor an http(s) url.
    """
    entry = entry.strip()
    scheme = _SCHEME.match(entry)
    if scheme:
        return url_token(entry)
    if IMAGE_ID.fullmatch(entry):
        return id_token(entry)
    raise ValueError(f"{entry[:80]!r} is neither an image id nor an http(s) url")


def id_token(image_id: str) -> str:
    """:func:`token` of an image id, or of anything that stands in its place."""
    return _sha256("id:" + image_id)


def url_token(url: str) -> str:
    """:func:`token` of a url, or of anything that stands in its place."""
    rest = _SCHEME.sub("", url.strip(), count=1).partition("#")[0]
    host, slash, path = rest.partition("/")
    return _sha256("url:" + host.lower() + slash + path)


def tokens_of(lines: Iterable[str]) -> list[str]:
    """Tokens of the entries of a list: one a line, ``#`` starts a comment, empty lines count for nothing.

    Raises:
        ValueError: a line that is no entry; the message has its number.
    """
    found = set()
    for number, line in enumerate(lines, 1):
        entry = line.removeprefix("\ufeff").strip()
        if not entry or entry.startswith("#"):
            continue
        try:
            found.add(token(entry))
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from None
    return sorted(found)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
