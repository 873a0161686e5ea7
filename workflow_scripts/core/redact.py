"""Redaction of URLs in logs, messages and tables of requests: logins, queries and fragments may hold secrets."""

import re
from urllib.parse import urlsplit

_URL = re.compile(r"(://|\bhttps?:/(?!/))([^\s/?#]*+)([^\s?#]*+)([?#]\S*+)?", re.IGNORECASE)
CLOSING = "])}>\"',;:|"  # characters that may follow a URL in a sentence
_HOST = re.compile(r"(?:\[[^]]*\]?|[^][:]*)(?::\d*)?")
HIDDEN = "..."
VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")  # an environment variable in a URL
_SECRET_NAME = re.compile(r"token|key|sig|pass|secret|auth|cred", re.IGNORECASE)
LONGEST_OPEN = 8  # length up to which a value in a query, such as dl=1, is not considered a secret


def redacted(text: str) -> str:
    """``text`` with ``https://host/path?...`` for each URL that has a query or a fragment, and without logins."""
    return _URL.sub(_shown, text) if ":/" in text else text


def _shown(found: re.Match[str]) -> str:
    start, authority, path, asked = found.groups(default="")
    host = authority.rpartition("@")[2]
    if not _HOST.fullmatch(host.rstrip(CLOSING)):  # a login with a slash in it
        host, path = HIDDEN, ""
    end = asked[len(asked.rstrip(CLOSING)) :]
    return f"{start}{host}{path}{asked[:1]}{HIDDEN if asked else ''}{end}"


def has_secret(url: str) -> bool:
    """Whether a URL's login, query or fragment holds text that may be a secret; ``${NAME}`` is not one."""
    try:
        parts = urlsplit(VARIABLE.sub("", url))
    except ValueError:
        return True
    return bool(parts.netloc.rpartition("@")[0].strip(":")) or any(
        _may_be_secret(*one.partition("=")) for one in (*parts.query.split("&"), parts.fragment)
    )


def _may_be_secret(name: str, equals: str, value: str) -> bool:
    text = value if equals else name
    return len(text) > LONGEST_OPEN or bool(value and _SECRET_NAME.search(name))
