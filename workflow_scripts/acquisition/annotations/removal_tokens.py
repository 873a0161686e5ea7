"""Removal lists, as users write them and as hashes: a study must not itself store what such a list removes."""

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

from yarl import URL

from workflow_scripts.core.errors import PipelineError

IMAGE_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_SCHEME = re.compile(r"https?://", re.IGNORECASE)
# Already in the form that `normal_url` gives; so are nearly all URLs, and parsing one takes ten times as long.
_NORMAL = re.compile(r"https?://((?:[a-z0-9]+\.)+[a-z]+/(?:[\w~-]++[./]?+)*+)", re.ASCII)
_USUAL_PORT = {"http": 80, "https": 443}


def token(entry: str) -> str:
    """sha256 in hex of an image id or URL, used in its place in settings, tables and run records.

    All spellings of a URL have the same token: see :func:`normal_url`.

    Raises:
        ValueError: neither an image id nor an http(s) URL.
    """
    entry = entry.strip()
    scheme = _SCHEME.match(entry)
    if scheme:
        return url_token(entry)
    if IMAGE_ID.fullmatch(entry):
        return id_token(entry)
    raise ValueError(f"{entry[:80]!r} is neither an image id nor an http(s) URL")


def id_token(image_id: str) -> str:
    """:func:`token` of an image id, or of any other value of that field."""
    return _sha256("id:" + image_id)


def url_token(url: str) -> str:
    """:func:`token` of a URL, or of any other value of that field."""
    return _sha256("url:" + normal_url(url))


def normal_url(url: str) -> str:
    """The part of a URL that identifies the resource, in canonical form.

    Scheme (http or https), login, fragment, the default port, an empty query and dots after the host are ignored. The
    host is in lower case and punycode, dot segments are resolved, and characters are percent-encoded where they must
    be and nowhere else, as in the request. In text that is not a URL, scheme, fragment and the host's case are ignored.
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
    """Tokens of the entries of a list: one per line, ``#`` starts a comment, empty lines are ignored.

    Raises:
        ValueError: a line is not a valid entry; the message gives its number.
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


def read_tokens(source: Path) -> list[str]:
    """Tokens of all entries of a list, or of all lists in a folder.

    Raises:
        PipelineError: a file is not text, or has a line that is neither an image id nor a URL.
    """
    found: set[str] = set()
    for path in sorted(path for path in source.rglob("*") if path.is_file()) if source.is_dir() else [source]:
        if path.name.startswith("."):
            continue
        try:
            found.update(tokens_of(path.read_text("utf-8").splitlines()))
        except ValueError as error:
            advice = "write one image id or URL per line; # starts a comment"
            raise PipelineError("invalid removal list", path, error, advice) from None
    return sorted(found)
