"""URLs as logs, messages and tables of requests show them: logins, queries and fragments may hold secrets."""

import re

_URL = re.compile(r"(://|\bhttps?:/(?!/))([^\s/?#]*+)([^\s?#]*+)([?#]\S*+)?", re.IGNORECASE)
CLOSING = "])}>\"',;:|"  # what may stand behind a URL in a sentence
_HOST = re.compile(r"(?:\[[^]]*\]?|[^][:]*)(?::\d*)?")
HIDDEN = "..."


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
