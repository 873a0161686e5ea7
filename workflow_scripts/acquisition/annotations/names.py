"""Masks names of people in titles as RedCaps does, so that they appear in no published file."""

import re

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
