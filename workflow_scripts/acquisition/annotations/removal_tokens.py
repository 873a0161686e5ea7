"""What people asked to be taken out, known by hashes alone: a removal list must not keep what it removes."""

import hashlib
import re
from collections.abc import Iterable

from yarl import URL

IMAGE_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_SCHEME = re.compile(r"https?://", re.IGNORECASE)
# Already as `normal_url` would leave it: nearly all urls are, and taking one apart costs ten times as much.
_NORMAL = re.compile(r"https?://((?:[a-z0-9]+\.)+[a-z]+/(?:[\w~-]++[./]?+)*+)", re.ASCII)
_USUAL_PORT = {"http": 80, "https": 443}


def token(entry: str) -> str:
    """sha256 in hex of an image id or of a url, which stands for it in settings, tables and run records.

    All spellings of a url have one token: see :func:`normal_url`.

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
    return _sha256("url:" + normal_url(url))


def normal_url(url: str) -> str:
    """The part of a URL that identifies the resource, in one spelling.

    Scheme (http or https), login, fragment, the usual port, an empty query and dots behind the host do not count. The
    host is in lower case and punycode, dot segments are resolved, and characters are percent-encoded where they must
    be and nowhere else, as in the request. Of text that is no url, scheme, fragment and the host's case do not count.
    """
    url = url.strip()
    common = _NORMAL.fullmatch(url)
    if common:
        return common[1]
    bare = url.partition("#")[0]
    try:
        parsed = URL(bare)
        host, port = (parsed.raw_host or "").rstrip("."), parsed.port
    except ValueError:
        host, port = "", None
    if not host or parsed.scheme not in _USUAL_PORT:
        name, slash, path = _SCHEME.sub("", bare, count=1).partition("/")
        return name.lower() + slash + path
    host = f"[{host}]" if ":" in host else host
    return host + ("" if port == _USUAL_PORT[parsed.scheme] else f":{port}") + parsed.raw_path_qs


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
