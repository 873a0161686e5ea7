"""Names of people in titles: masked as RedCaps does it, so that nothing that is published holds them."""

import re

USER = "<usr>"  # the token that RedCaps' own files have in their place
_HINT = re.compile(r"[@＠]|(?:\bu|_u|user)/|\br/u_", re.IGNORECASE)
_MAIL = r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"
_HANDLE = r"[@＠]\w+(?:[.-]\w+)*"
# A Reddit name has 3 to 20 letters, digits, - and _; Markdown writes the last as \_.
_REDDIT = r"(?<![^\W_])/?(?:u|user)/(?:[A-Za-z0-9_-]|\\_){3,}"
_PROFILE = r"(?<![^\W_])/?r/u_[A-Za-z0-9_-]+"
_NAMES = re.compile("|".join((_MAIL, _HANDLE, _PROFILE, _REDDIT)), re.IGNORECASE)
_POST = re.compile(r"(?P<post>(?:https?://(?:[a-z]+\.)?reddit\.com)?/r/[A-Za-z0-9_]+/comments/[A-Za-z0-9]+)/.*")


def mask(text: str) -> str:
    """``text`` with :data:`USER` for Reddit's ``u/name``, for ``@handle`` and for mail addresses."""
    return _NAMES.sub(USER, text) if _HINT.search(text) else text


def bare_permalink(permalink: str) -> str:
    """A post's link without what follows its id, which is made of the title, and without names of people."""
    return mask(_POST.sub(r"\g<post>/", permalink))
