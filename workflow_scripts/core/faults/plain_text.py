"""Untrusted text on terminals and in logs: each character that can't be seen is written as an escape.

Names of files and tar members, keys and records can hold control characters, which move a terminal's cursor, erase
lines or rename its window, and bidi or zero-width characters, which make one name look like another.
"""

from collections.abc import Iterable


def plain(text: str) -> str:
    """``text`` with escapes such as ``\\x1b``, ``\\n`` and ``\\u202e`` for characters that are not printable."""
    if text.isprintable():  # most texts are, and the loop is slow
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def plain_lines(text: str) -> str:
    """The same for a text of several lines: its line breaks and tabs stay."""
    return "\n".join("\t".join(map(plain, line.split("\t"))) for line in text.split("\n"))


def printed(lines: Iterable[str]) -> str:
    """What a command prints: the lines as :func:`plain` text, each with a line break at its end."""
    return "".join(f"{plain(line)}\n" for line in lines)
