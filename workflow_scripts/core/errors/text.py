"""Text that is shown on terminals and in logs: plain characters only, and URLs without what may be secret.

Names of files and tar members, keys and records can hold control characters, which move a terminal's cursor, erase
lines or rename its window, and bidi or zero-width characters, which make one name look like another. Logins, queries
and fragments of URLs may hold secrets.
"""

import re
from collections.abc import Iterable
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


def plain(text: str) -> str:
    """``text`` with escapes such as ``\\x1b``, ``\\n`` and ``\\u202e`` for characters that are not printable."""
    if text.isprintable():  # most texts are, and the loop is slow
        return text
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)


def plain_lines(text: str) -> str:
    """The same for a text of several lines: its line breaks and tabs stay."""
    return "\n".join("\t".join(map(plain, line.split("\t"))) for line in text.split("\n"))


def printed(lines: Iterable[str]) -> str:
    """What a command prints: the lines as :func:`plain` text, each with a line break at its end."""
    return "".join(f"{plain(line)}\n" for line in lines)
